package io.peft4j.adapters;

import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Which modules an adapter attaches to, by PEFT's rules:
 *
 * <ul>
 *   <li>a list of names: a module matches if its dotted path is a name or ends with a dot and a
 *       name;
 *   <li>a regular expression in Python's syntax: it must match the whole path;
 *   <li>{@code all-linear}: every linear layer but the output embedding;
 *   <li>excluded modules, by the same first two rules, are taken out first;
 *   <li>layer numbers, for a list of names: only modules in these layers; a name that is the whole
 *       path is exempt. The number is the first one in the path, or the first after one of the
 *       layer patterns.
 * </ul>
 *
 * <p>Unlike PEFT, a name, an expression or a layer number that matches nothing is an error even if
 * another one matches. Only targets that were {@linkplain #read read} from a saved adapter are as
 * tolerant as PEFT.
 */
public final class TargetModules {

    private final TargetRules rules;

    private TargetModules(TargetRules rules) {
        this.rules = rules;
    }

    /**
     * Targets modules by name.
     *
     * @param names paths or dotted ends of paths
     * @return the targets
     */
    public static TargetModules of(String... names) {
        return builder().optNames(List.of(names)).build();
    }

    /**
     * Reads the form that the command line takes: names with commas between them, {@code re:} and a
     * regular expression, or {@code all-linear}.
     *
     * @param text the form
     * @return the targets
     */
    public static TargetModules parse(String text) {
        if (text.startsWith("re:")) {
            return builder().optRegex(text.substring(3)).build();
        }
        if (TargetRules.ALL_LINEAR.equalsIgnoreCase(text.strip())) {
            return builder().optAllLinear().build();
        }
        List<String> names = Arrays.stream(text.split(",", -1)).map(String::strip).toList();
        if (names.contains("")) {
            throw new AdapterConfigException(
                    "target modules \"" + text + "\": a name between the commas is empty");
        }
        return builder().optNames(names).build();
    }

    /**
     * Reads PEFT's settings. The targets pass over an entry that matches nothing, as PEFT does, as
     * long as another one matches. They leave out {@code modules_to_save} and what lies below.
     *
     * @param config the content of {@code adapter_config.json}
     * @return the targets
     */
    public static TargetModules read(PeftConfig config) {
        if (!config.has("target_modules")) {
            throw new AdapterConfigException(
                    config.source() + ": \"target_modules\" is missing; PEFT always writes it");
        }
        Builder builder = builder();
        if (config.json().get("target_modules").isJsonArray()) {
            builder.optNames(config.strings("target_modules"));
        } else {
            String text = config.string("target_modules").orElseThrow();
            if (TargetRules.ALL_LINEAR.equals(text.toLowerCase(Locale.ROOT))) {
                builder.optAllLinear();
            } else {
                builder.optRegex(text);
            }
        }
        if (config.has("exclude_modules")) {
            if (config.json().get("exclude_modules").isJsonArray()) {
                builder.optExcludeNames(config.strings("exclude_modules"));
            } else {
                builder.optExcludeRegex(config.string("exclude_modules").orElseThrow());
            }
        }
        builder.modulesToSave = config.strings("modules_to_save");
        builder.tolerant = true;
        return builder.optLayersToTransform(config.integers("layers_to_transform"))
                .optLayersPattern(
                        config.strings("layers_pattern").stream()
                                .filter(pattern -> !pattern.isEmpty())
                                .toList())
                .build();
    }

    /**
     * Writes PEFT's settings.
     *
     * @param config the config to add them to
     * @return the same config
     */
    public PeftConfig.Builder writeTo(PeftConfig.Builder config) {
        config.opt(
                "target_modules",
                rules.allLinear() ? TargetRules.ALL_LINEAR : peftValue(rules.targets()));
        if (!rules.exclude().isEmpty()) {
            config.opt("exclude_modules", peftValue(rules.exclude()));
        }
        return config.opt("modules_to_save", orNull(rules.modulesToSave()))
                .opt("layers_to_transform", orNull(rules.layers()))
                .opt("layers_pattern", orNull(rules.layersPattern()));
    }

    private static Object peftValue(ModuleFilter filter) {
        return filter.regex().isEmpty() ? filter.names() : filter.regex();
    }

    private static @Nullable List<?> orNull(List<?> list) {
        return list.isEmpty() ? null : list;
    }

    /** Tells whether entries that match nothing are passed over, as long as another matches. */
    boolean isTolerant() {
        return rules.tolerant();
    }

    /**
     * Selects the modules to adapt.
     *
     * @param modules the dotted paths of all modules, in model order
     * @param linears the paths of linear layers, which {@code all-linear} takes
     * @param others the paths of other modules that can be adapted, by name only
     * @param heads the paths of output embeddings
     * @return the selected paths, in model order
     * @throws AdapterConfigException if an entry, or the whole selection, matches nothing, or a
     *     match cannot be adapted; the message lists near names
     */
    public List<String> select(
            Collection<String> modules,
            Set<String> linears,
            Set<String> others,
            Set<String> heads) {
        return rules.select(modules, linears, others, heads);
    }

    /**
     * Tells whether the names or the regular expression mean a module, whatever is excluded.
     *
     * @param module the dotted path
     * @return whether they do; false of {@code all-linear}, which depends on the model
     */
    public boolean matches(String module) {
        return !rules.allLinear() && rules.targets().matches().test(module);
    }

    /**
     * Returns the modules that are trained whole, which no adapter attaches to.
     *
     * @return PEFT's {@code modules_to_save}: paths or dotted ends of paths
     */
    public List<String> modulesToSave() {
        return rules.modulesToSave();
    }

    /**
     * Replaces the modules that are trained whole.
     *
     * @param modules paths or dotted ends of paths
     * @return the same targets, but for what lies at or below these modules
     */
    public TargetModules withModulesToSave(List<String> modules) {
        return new TargetModules(
                new TargetRules(
                        rules.targets(),
                        rules.exclude(),
                        List.copyOf(modules),
                        rules.layers(),
                        rules.layersPattern(),
                        rules.tolerant()));
    }

    /**
     * Returns the targets in the form that {@link #parse} takes.
     *
     * @return the form; exclusions and layer numbers are left out
     */
    @Override
    public String toString() {
        return rules.toString();
    }

    /**
     * Creates a builder.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds {@link TargetModules} from exactly one of names, a regular expression, all-linear. */
    public static final class Builder {

        private List<String> names = List.of();
        private String regex = "";
        private boolean allLinear;
        private List<String> excludeNames = List.of();
        private String excludeRegex = "";
        private List<String> modulesToSave = List.of();
        private List<Integer> layers = List.of();
        private List<String> layersPattern = List.of();
        private boolean tolerant;

        private Builder() {}

        /**
         * Targets modules by name.
         *
         * @param moduleNames paths or dotted ends of paths
         * @return this builder
         */
        public Builder optNames(List<String> moduleNames) {
            names = List.copyOf(moduleNames);
            return this;
        }

        /**
         * Targets modules whose whole path matches.
         *
         * @param expression a regular expression in Python's syntax
         * @return this builder
         */
        public Builder optRegex(String expression) {
            regex = expression;
            return this;
        }

        /**
         * Targets every linear layer but the output embedding.
         *
         * @return this builder
         */
        public Builder optAllLinear() {
            allLinear = true;
            return this;
        }

        /**
         * Takes modules out by name.
         *
         * @param moduleNames paths or dotted ends of paths
         * @return this builder
         */
        public Builder optExcludeNames(List<String> moduleNames) {
            excludeNames = List.copyOf(moduleNames);
            return this;
        }

        /**
         * Takes modules out whose whole path matches.
         *
         * @param expression a regular expression in Python's syntax
         * @return this builder
         */
        public Builder optExcludeRegex(String expression) {
            excludeRegex = expression;
            return this;
        }

        /**
         * Keeps only these layers of modules that were named by a dotted end.
         *
         * @param layerNumbers layer numbers; empty for all layers
         * @return this builder
         */
        public Builder optLayersToTransform(List<Integer> layerNumbers) {
            layers = List.copyOf(layerNumbers);
            return this;
        }

        /**
         * Says after which name the layer number stands.
         *
         * @param patterns names or regular expressions, such as {@code layers}
         * @return this builder
         */
        public Builder optLayersPattern(List<String> patterns) {
            layersPattern = List.copyOf(patterns);
            return this;
        }

        /**
         * Builds the targets.
         *
         * @return the targets
         * @throws AdapterConfigException if settings contradict each other
         */
        public TargetModules build() {
            int ways = (names.isEmpty() ? 0 : 1) + (regex.isEmpty() ? 0 : 1) + (allLinear ? 1 : 0);
            if (ways != 1) {
                throw new AdapterConfigException(
                        "give exactly one of module names, a regular expression and all-linear as"
                                + " targets, but there are "
                                + ways);
            }
            return new TargetModules(
                    new TargetRules(
                            new ModuleFilter(names, regex),
                            new ModuleFilter(excludeNames, excludeRegex),
                            modulesToSave,
                            layers,
                            layersPattern,
                            tolerant));
        }
    }
}
