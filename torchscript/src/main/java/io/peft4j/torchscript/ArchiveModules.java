package io.peft4j.torchscript;

import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The modules of an archive by their paths, and which names each tensor has. A path repeats the
 * names of all modules above, and each name of a tied tensor lists the others, so that a small file
 * could fill the memory; the limits are far above what models have.
 */
final class ArchiveModules {

    private static final int MAX_MODULES = 100_000;
    private static final int MAX_TENSORS = 100_000;
    private static final int MAX_TIED = 256;
    private static final int MAX_NESTED = 200;
    private static final long MAX_LETTERS = 32 << 20;

    private final String where;
    private final Map<String, PickledObject> modules = new LinkedHashMap<>();
    private final Map<String, List<String>> names = new LinkedHashMap<>();
    private final Set<String> quantised = new LinkedHashSet<>();
    private final Set<PickledObject> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    private int tensors;
    private long letters;

    private ArchiveModules(String where) {
        this.where = where;
    }

    /** Finds all modules from the root on; {@code where} begins the messages. */
    static ArchiveModules of(String where, PickledObject root) throws TorchScriptException {
        ArchiveModules found = new ArchiveModules(where);
        found.collect("", root, Collections.newSetFromMap(new IdentityHashMap<>()));
        return found;
    }

    /** All modules, parents first; the root's path is empty. */
    Map<String, PickledObject> byPath() {
        return modules;
    }

    /** The paths of all tensors that begin at the same place of the same memory. */
    List<String> sharing(StoredTensor tensor) {
        return names.getOrDefault(memory(tensor), List.of());
    }

    /** The paths of modules that have quantised weights. */
    Set<String> quantised() {
        return quantised;
    }

    /** The path of a module's attribute. */
    static String join(String module, String name) {
        return module.isEmpty() ? name : module + "." + name;
    }

    private void collect(String path, PickledObject module, Set<PickledObject> above)
            throws TorchScriptException {
        if (modules.size() >= MAX_MODULES) {
            throw refused("more than " + MAX_MODULES + " modules");
        }
        if (above.size() > MAX_NESTED) {
            throw refused("modules nested more than " + MAX_NESTED + " deep");
        }
        if (above.contains(module)) {
            throw refused("module " + path + " lies within itself");
        }
        if (!seen.add(module)) {
            return; // one module in two places goes by the first, as in PyTorch
        }
        above.add(module);
        modules.put(path, module);
        if (module.className().contains(".quantized.")) {
            quantised.add(path);
        }
        for (Map.Entry<Object, @Nullable Object> attribute : module.attributes().entrySet()) {
            boolean child =
                    attribute.getValue() instanceof PickledObject object && isModule(object);
            if (child || attribute.getValue() instanceof StoredTensor) {
                String below = join(path, name(attribute.getKey()));
                letters += below.length();
                if (letters > MAX_LETTERS) {
                    throw refused(
                            "the paths of its modules and tensors have more than "
                                    + MAX_LETTERS
                                    + " letters");
                }
                if (attribute.getValue() instanceof StoredTensor tensor) {
                    name(below, tensor);
                } else if (attribute.getValue() instanceof PickledObject object) {
                    collect(below, object, above);
                }
            }
        }
        above.remove(module);
    }

    /** Whether an object is a module, and not one of a native class. */
    static boolean isModule(PickledObject object) {
        return !object.className().startsWith("__torch__.torch.classes.");
    }

    private String name(Object key) throws TorchScriptException {
        String name = key.toString();
        if (name.chars().anyMatch(Character::isISOControl)) {
            throw refused("the name of a module or tensor has control characters");
        }
        return name;
    }

    private void name(String path, StoredTensor tensor) throws TorchScriptException {
        if (++tensors > MAX_TENSORS) {
            throw refused("more than " + MAX_TENSORS + " tensors");
        }
        List<String> shared = names.computeIfAbsent(memory(tensor), key -> new ArrayList<>(1));
        shared.add(path);
        if (shared.size() > MAX_TIED) {
            throw refused("tensor " + shared.get(0) + " has more than " + MAX_TIED + " names");
        }
    }

    private static String memory(StoredTensor tensor) {
        return tensor.storage() + ":" + tensor.offset();
    }

    private TorchScriptException refused(String why) {
        return new TorchScriptException(where + ": " + why);
    }
}
