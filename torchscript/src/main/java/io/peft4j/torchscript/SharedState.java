package io.peft4j.torchscript;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What copies of an archive's module would have to share to be one model: all its tensors, running
 * statistics among them. A module with any other state that its code can change has no copies.
 */
final class SharedState {

    /** A module's attribute. */
    record Slot(String module, String name) {}

    private static final Pattern NAME = Pattern.compile("[A-Za-z_]\\w*+");
    private static final Pattern PATH = Pattern.compile("[\\w.]*+");
    private static final Pattern SETS_ATTRIBUTE =
            Pattern.compile("(?m)^ ++[A-Za-z_]\\w*+(?:\\.\\w++)++ = ");

    private SharedState() {}

    /** All tensors of the modules, or null if there is state beside them. */
    static @Nullable List<Slot> of(TorchScriptArchive archive) throws TorchScriptException {
        for (String text : archive.code().records().values()) {
            if (SETS_ATTRIBUTE.matcher(text).find()) {
                return null;
            }
        }
        List<Slot> slots = new ArrayList<>();
        for (Map.Entry<String, PickledObject> module : archive.modules().entrySet()) {
            ClassText type = archive.classOf(module.getValue());
            for (Map.Entry<Object, @Nullable Object> attribute :
                    module.getValue().attributes().entrySet()) {
                String name = attribute.getKey().toString();
                Object value = attribute.getValue();
                if (value instanceof StoredTensor) {
                    boolean plain = type.text().contains("\n  " + name + " : Tensor\n");
                    if (!plain
                            || !NAME.matcher(name).matches()
                            || !PATH.matcher(module.getKey()).matches()) {
                        return null;
                    }
                    slots.add(new Slot(module.getKey(), name));
                } else if (!isFixed(value)) {
                    return null;
                }
            }
        }
        return slots;
    }

    /** Lists can be appended to; objects of native classes have a state of their own. */
    private static boolean isFixed(@Nullable Object value) {
        return value == null
                || value instanceof Boolean
                || value instanceof Long
                || value instanceof Double
                || value instanceof String
                || (value instanceof PickledObject object && ArchiveModules.isModule(object));
    }
}
