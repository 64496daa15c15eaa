package io.peft4j.adapters;

import ai.djl.nn.Block;
import ai.djl.nn.BlockList;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Dotted paths of a block tree, free of the running numbers that DJL puts before a child's name.
 *
 * <p>The third child, added as {@code norm}, is kept by DJL as {@code 03norm}; its path here ends
 * in {@code norm}. The number is known from the position, so a name that begins with digits is
 * safe. Siblings of one name, as in a {@link ai.djl.nn.SequentialBlock}, keep their numbers.
 */
public final class BlockTree {

    private BlockTree() {}

    /**
     * Lists every block below a root, parents first.
     *
     * @param root the root, whose own path is the empty string
     * @return the blocks by dotted path, in tree order
     */
    public static Map<String, Block> paths(Block root) {
        Map<String, Block> paths = new LinkedHashMap<>();
        collect("", root, paths);
        return paths;
    }

    private static void collect(String path, Block block, Map<String, Block> paths) {
        paths.put(path, block);
        BlockList children = block.getChildren();
        List<String> names = new ArrayList<>();
        for (int i = 0; i < children.size(); i++) {
            String number = String.format(Locale.ROOT, "%02d", i + 1);
            String key = children.keyAt(i);
            names.add(key.startsWith(number) ? key.substring(number.length()) : key);
        }
        for (int i = 0; i < children.size(); i++) {
            boolean shared = Collections.frequency(names, names.get(i)) > 1;
            String name = shared ? children.keyAt(i) : names.get(i);
            collect(path.isEmpty() ? name : path + "." + name, children.valueAt(i), paths);
        }
    }
}
