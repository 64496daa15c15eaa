package io.peft4j.adapters;

import ai.djl.nn.Block;
import ai.djl.util.Pair;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Dotted paths of a block tree, free of the running numbers that DJL puts before a child's name.
 *
 * <p>The third child, added as {@code norm}, is kept as {@code 03norm}; its path here is {@code
 * norm}. The number is known from the position, so a name that begins with digits is safe.
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
        int number = 0;
        for (Pair<String, Block> child : block.getChildren()) {
            number++;
            String prefix = String.format(Locale.ROOT, "%02d", number);
            String key = child.getKey();
            String name = key.startsWith(prefix) ? key.substring(prefix.length()) : key;
            collect(path.isEmpty() ? name : path + "." + name, child.getValue(), paths);
        }
    }
}
