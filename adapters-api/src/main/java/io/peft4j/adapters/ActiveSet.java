package io.peft4j.adapters;

import ai.djl.nn.Parameter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Adapters that are in effect together, and what they put in the place of each base weight. */
final class ActiveSet {

    static final ActiveSet NONE = new ActiveSet(List.of());

    private final List<Adapter> adapters;
    private final Map<Parameter, List<Attachment>> attachments = new LinkedHashMap<>();

    ActiveSet(List<Adapter> adapters) {
        this.adapters = List.copyOf(adapters);
        for (Adapter adapter : adapters) {
            for (Attachment attachment : adapter.attachments()) {
                attachments
                        .computeIfAbsent(attachment.weight().parameter(), p -> new ArrayList<>())
                        .add(attachment);
            }
        }
        requireOneReplacementEach();
    }

    /** Copies that replace a weight do not add up as low-rank updates do. */
    private void requireOneReplacementEach() {
        for (List<Attachment> together : attachments.values()) {
            if (together.size() > 1
                    && together.stream().anyMatch(a -> a.state() instanceof WholeParameter)) {
                throw new IllegalArgumentException(
                        "adapters "
                                + adapters.stream().map(Adapter::name).toList()
                                + " cannot be active together: more than one changes "
                                + together.get(0).path()
                                + ", and one of them replaces it whole; activate one of them");
            }
        }
    }

    List<Adapter> adapters() {
        return adapters;
    }

    boolean isEmpty() {
        return adapters.isEmpty();
    }

    /** What stands in the place of a parameter, or null. */
    @Nullable List<Attachment> at(Parameter parameter) {
        return attachments.get(parameter);
    }

    /** The attachments of each adapted weight. */
    Collection<List<Attachment>> all() {
        return attachments.values();
    }

    /** Keeps all adapters from being freed; false if one is gone already. */
    boolean hold() {
        for (int i = 0; i < adapters.size(); i++) {
            if (!adapters.get(i).hold()) {
                adapters.subList(0, i).forEach(Adapter::release);
                return false;
            }
        }
        return true;
    }

    void release() {
        adapters.forEach(Adapter::release);
    }
}
