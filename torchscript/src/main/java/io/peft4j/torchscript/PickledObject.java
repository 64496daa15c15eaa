package io.peft4j.torchscript;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An object of a class of the archive, most often a module, with its attributes. */
final class PickledObject {

    private final String className;
    private Map<Object, @Nullable Object> attributes = new LinkedHashMap<>();
    private final List<@Nullable Object> states = new ArrayList<>(1);
    private int insertAt = -1;

    PickledObject(String className) {
        this.className = className;
    }

    /** Such as {@code __torch__.torch.nn.modules.linear.___torch_mangle_3.Linear}. */
    String className() {
        return className;
    }

    /** The class's own name, such as {@code Linear}. */
    String simpleName() {
        return className.substring(className.lastIndexOf('.') + 1);
    }

    Map<Object, @Nullable Object> attributes() {
        return attributes;
    }

    /** Where in the pickle further attributes can be put, or -1 if nowhere. */
    int insertAt() {
        return insertAt;
    }

    /** All that the object was built from. */
    List<@Nullable Object> states() {
        return states;
    }

    void build(Map<Object, @Nullable Object> from, int at) {
        attributes = from;
        insertAt = at;
    }
}
