package io.peft4j.ia3;

import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.TargetModules;
import java.util.List;

/**
 * Names the modules whose inputs are scaled, as PEFT's {@code feedforward_modules} does: a list of
 * names, each of which means the modules whose path ends with it, also within a word; or one
 * regular expression in Python's syntax for whole paths.
 *
 * @param names the names; empty if there is an expression, or no such module
 * @param regex the expression, or an empty string
 */
record FeedforwardModules(List<String> names, String regex) {

    static final FeedforwardModules NONE = new FeedforwardModules(List.of(), "");

    private static final String KEY = "feedforward_modules";

    FeedforwardModules {
        names = List.copyOf(names);
        if (!regex.isEmpty()) {
            expression(regex); // a malformed one is refused now
        }
    }

    /** Reads names, or one text that begins with {@code re:}, as {@link TargetModules#parse}. */
    static FeedforwardModules of(List<String> texts) {
        return texts.size() == 1 && texts.get(0).startsWith("re:")
                ? new FeedforwardModules(List.of(), texts.get(0).substring(3))
                : new FeedforwardModules(texts, "");
    }

    static FeedforwardModules read(PeftConfig config) {
        if (!config.has(KEY)) {
            throw new AdapterConfigException(
                    config.source() + ": \"" + KEY + "\" is missing; PEFT always writes it");
        }
        List<String> texts = config.strings(KEY);
        return config.json().get(KEY).isJsonArray()
                ? new FeedforwardModules(texts, "")
                : new FeedforwardModules(List.of(), texts.get(0));
    }

    void writeTo(PeftConfig.Builder config) {
        config.opt(KEY, regex.isEmpty() ? names : regex);
    }

    boolean matches(String module) {
        return regex.isEmpty()
                ? names.stream().anyMatch(module::endsWith)
                : expression(regex).matches(module);
    }

    /** PEFT's rule, where both are lists. */
    void requireAmong(List<String> targets) {
        List<String> others = names.stream().filter(name -> !targets.contains(name)).toList();
        if (!others.isEmpty()) {
            throw new AdapterConfigException(
                    KEY + " " + others + " must be among target_modules " + targets);
        }
    }

    /** An entry that means none of the adapted modules is most often a mistake. */
    void requireMatch(List<String> adapted) {
        boolean any = adapted.stream().anyMatch(this::matches);
        if (!any && !equals(NONE)) {
            throw new AdapterConfigException(
                    KEY
                            + " "
                            + (regex.isEmpty() ? names : "\"" + regex + "\"")
                            + " match none of the adapted modules, such as "
                            + adapted.get(0));
        }
    }

    private static TargetModules expression(String regex) {
        return TargetModules.builder().optRegex(regex).build();
    }
}
