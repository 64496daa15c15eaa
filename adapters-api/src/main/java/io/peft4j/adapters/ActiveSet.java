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
    private final Map<Object, List<Attachment>> attachments = new LinkedHashMap<>();
    private final List<Parameter> sources;

    ActiveSet(List<Adapter> adapters) {
        this.adapters = List.copyOf(adapters);
        for (Adapter adapter : adapters) {
            for (Attachment attachment : adapter.attachments()) {
                attachments
                        .computeIfAbsent(attachment.weight().use(), use -> new ArrayList<>())
                        .add(attachment);
            }
        }
        attachments.values().forEach(this::requireOneReplacement);
        attachments.forEach(
                (use, own) -> {
                    Parameter parameter = own.get(0).weight().parameter();
                    if (use != parameter) {
                        requireOneReplacement(at(use, parameter));
                    }
                });
        sources = readSources();
    }

    private List<Parameter> readSources() {
        List<Parameter> all = new ArrayList<>();
        for (Adapter adapter : adapters) {
            all.addAll(adapter.shared().values());
            for (Attachment attachment : adapter.attachments()) {
                all.add(attachment.weight().parameter());
                all.addAll(attachment.state().parameters().values());
            }
        }
        return List.copyOf(all);
    }

    /** What the effective weights are computed from: adapted weights and adapters' parameters. */
    List<Parameter> sources() {
        return sources;
    }

    /** Copies that replace a weight do not add up as low-rank updates do. */
    private void requireOneReplacement(List<Attachment> together) {
        for (Attachment one : together) {
            for (Attachment other : together) {
                if (!one.equals(other) && one.state() instanceof WholeParameter) {
                    throw together(one, "and one of them replaces it whole");
                }
                if (!one.equals(other)
                        && one.state() instanceof TokenRows rows
                        && other.state() instanceof TokenRows others
                        && rows.overlaps(others)) {
                    throw together(one, "each replaces the row of the same token");
                }
            }
        }
    }

    private IllegalArgumentException together(Attachment at, String why) {
        return new IllegalArgumentException(
                "adapters "
                        + adapters.stream().map(Adapter::name).toList()
                        + " cannot be active together: more than one changes "
                        + at.path()
                        + ", "
                        + why
                        + "; activate one of them");
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

    /**
     * What stands in the place of a parameter for one use of it; empty if nothing does. A tied use
     * has what was attached to it, and what was attached to the parameter and reaches ties.
     */
    List<Attachment> at(Object use, Parameter parameter) {
        List<Attachment> own = attachments.getOrDefault(use, List.of());
        if (use == parameter) {
            return own;
        }
        List<Attachment> all = new ArrayList<>();
        for (Attachment attachment : attachments.getOrDefault(parameter, List.of())) {
            if (attachment.reachesTies()) {
                all.add(attachment);
            }
        }
        all.addAll(own);
        return all;
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
