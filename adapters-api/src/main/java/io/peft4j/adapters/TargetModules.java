package io.peft4j.adapters;

import io.peft4j.text.NearestNames;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Which modules an adapter attaches to, by PEFT's rules:
 *
 * <ul>
 *   <li>a list of names: a module matches if its dotted path is a name or ends with a dot and a
 *       name;
 *   <li>a regular expression: it must match the whole path;
 *   <li>{@code all-linear}: every linear layer but the output embedding;
 *   <li>excluded modules, by the same two rules, are taken out first;
 *   <li>layer numbers, for a list of names: only modules in these layers; a name that is the whole
 *       path is exempt. The number is the first one in the path, or the first after one of the
 *       layer patterns.
 * </ul>
 *
 * <p>Unlike PEFT, a name that matches nothing is an error even if another name matches. Regular
 * expressions are Java's; PEFT's are Python's, which differ in rare constructs only (named groups,
 * conditionals).
 */
public final class TargetModules {

    private static final String ALL_LINEAR = "all-linear";
    private static final Pattern LAYER = Pattern.compile(".*?\\.[^.]*\\.(?<idx>\\d+)\\.");

    private final List<String> names;
    private final @Nullable String regex;
    private final boolean allLinear;
    private final List<String> excludeNames;
    private final @Nullable String excludeRegex;
    private final List<Integer> layers;
    private final List<String> layersPattern;

    private TargetModules(Builder builder) {
        names = List.copyOf(builder.names);
        regex = builder.regex;
        allLinear = builder.allLinear;
        excludeNames = List.copyOf(builder.excludeNames);
        excludeRegex = builder.excludeRegex;
        layers = List.copyOf(builder.layers);
        layersPattern = List.copyOf(builder.layersPattern);
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
        if (ALL_LINEAR.equalsIgnoreCase(text.strip())) {
            return builder().optAllLinear().build();
        }
        List<String> names =
                Arrays.stream(text.split(",", -1)).map(String::strip).collect(Collectors.toList());
        if (names.contains("")) {
            throw new AdapterConfigException(
                    "target modules \"" + text + "\": a name between the commas is empty");
        }
        return builder().optNames(names).build();
    }

    /**
     * Reads PEFT's settings.
     *
     * @param config the content of {@code adapter_config.json}
     * @return the targets
     */
    public static TargetModules read(PeftConfig config) {
        Builder builder = builder();
        if (!config.has("target_modules")) {
            throw new AdapterConfigException(
                    config.source() + ": \"target_modules\" is missing; PEFT always writes it");
        }
        if (config.json().get("target_modules").isJsonArray()) {
            builder.optNames(config.strings("target_modules"));
        } else {
            String text = config.string("target_modules").orElseThrow();
            if (ALL_LINEAR.equals(text.toLowerCase(Locale.ROOT))) {
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
        return builder.optLayersToTransform(config.integers("layers_to_transform"))
                .optLayersPattern(config.strings("layers_pattern"))
                .build();
    }

    /**
     * Writes PEFT's settings.
     *
     * @param config the config to add them to
     * @return the same config
     */
    public PeftConfig.Builder writeTo(PeftConfig.Builder config) {
        if (allLinear) {
            config.opt("target_modules", ALL_LINEAR);
        } else {
            config.opt("target_modules", regex != null ? regex : names);
        }
        if (excludeRegex != null || !excludeNames.isEmpty()) {
            config.opt("exclude_modules", excludeRegex != null ? excludeRegex : excludeNames);
        }
        config.opt("layers_to_transform", layers.isEmpty() ? null : layers);
        return config.opt("layers_pattern", layersPattern.isEmpty() ? null : layersPattern);
    }

    /**
     * Selects the modules to adapt.
     *
     * @param modules the dotted paths of all modules, in model order
     * @param linears the paths of those that can be adapted
     * @param heads the paths of output embeddings
     * @return the selected paths, in model order
     * @throws AdapterConfigException if a name, or the whole selection, matches nothing, or a match
     *     cannot be adapted; the message lists near names
     */
    public List<String> select(Collection<String> modules, Set<String> linears, Set<String> heads) {
        Predicate<String> excluded = excluded();
        List<String> selected =
                modules.stream()
                        .filter(excluded.negate())
                        .filter(module -> matches(module, linears, heads))
                        .collect(Collectors.toList());
        requireNamesMatch(modules, linears);
        if (selected.isEmpty()) {
            throw new AdapterConfigException(
                    "target modules " + this + " match nothing; " + near(linears));
        }
        for (String module : selected) {
            if (!linears.contains(module)) {
                throw new AdapterConfigException(
                        "target module " + module + " is not a linear layer; " + near(linears));
            }
        }
        return selected;
    }

    private boolean matches(String module, Set<String> linears, Set<String> heads) {
        if (allLinear) {
            return linears.contains(module) && !heads.contains(module);
        }
        if (regex != null) {
            return Pattern.matches(regex, module);
        }
        if (names.contains(module)) {
            return true;
        }
        return names.stream().anyMatch(name -> module.endsWith("." + name))
                && (layers.isEmpty() || inLayer(module));
    }

    private boolean inLayer(String module) {
        List<Pattern> patterns =
                layersPattern.isEmpty()
                        ? List.of(LAYER)
                        : layersPattern.stream()
                                .map(
                                        p ->
                                                Pattern.compile(
                                                        "(?:^|.*?\\.)" + p + "\\.(?<idx>\\d+)\\."))
                                .collect(Collectors.toList());
        for (Pattern pattern : patterns) {
            Matcher matcher = pattern.matcher(module);
            if (matcher.lookingAt()) {
                return layers.contains(Integer.valueOf(matcher.group("idx")));
            }
        }
        return false;
    }

    private Predicate<String> excluded() {
        if (excludeRegex != null) {
            return Pattern.compile(excludeRegex).asMatchPredicate();
        }
        return module ->
                excludeNames.stream().anyMatch(n -> module.equals(n) || module.endsWith("." + n));
    }

    private void requireNamesMatch(Collection<String> modules, Set<String> linears) {
        for (String name : names) {
            if (modules.stream().noneMatch(m -> m.equals(name) || m.endsWith("." + name))) {
                Set<String> ends =
                        linears.stream()
                                .map(path -> path.substring(path.lastIndexOf('.') + 1))
                                .collect(Collectors.toSet());
                throw new AdapterConfigException(
                        "target module \""
                                + name
                                + "\" matches nothing"
                                + NearestNames.hint(
                                        name,
                                        Stream.concat(ends.stream(), linears.stream())
                                                .distinct()
                                                .collect(Collectors.toList())));
            }
        }
    }

    private static String near(Set<String> linears) {
        List<String> ends =
                linears.stream()
                        .map(path -> path.substring(path.lastIndexOf('.') + 1))
                        .distinct()
                        .sorted()
                        .collect(Collectors.toList());
        return "the model's linear layers end in " + String.join(", ", ends);
    }

    /**
     * Returns the targets in the form that {@link #parse} takes.
     *
     * @return the form; exclusions and layer numbers are left out
     */
    @Override
    public String toString() {
        return allLinear ? ALL_LINEAR : regex != null ? "re:" + regex : String.join(",", names);
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
        private @Nullable String regex;
        private boolean allLinear;
        private List<String> excludeNames = List.of();
        private @Nullable String excludeRegex;
        private List<Integer> layers = List.of();
        private List<String> layersPattern = List.of();

        private Builder() {}

        /**
         * Targets modules by name.
         *
         * @param moduleNames paths or dotted ends of paths
         * @return this builder
         */
        public Builder optNames(List<String> moduleNames) {
            names = new ArrayList<>(moduleNames);
            return this;
        }

        /**
         * Targets modules whose whole path matches.
         *
         * @param expression a regular expression
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
            excludeNames = new ArrayList<>(moduleNames);
            return this;
        }

        /**
         * Takes modules out whose whole path matches.
         *
         * @param expression a regular expression
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
            layers = new ArrayList<>(layerNumbers);
            return this;
        }

        /**
         * Says after which name the layer number stands.
         *
         * @param patterns names or regular expressions, such as {@code layers}
         * @return this builder
         */
        public Builder optLayersPattern(List<String> patterns) {
            layersPattern = new ArrayList<>(patterns);
            return this;
        }

        /**
         * Builds the targets.
         *
         * @return the targets
         * @throws AdapterConfigException if settings contradict each other
         */
        public TargetModules build() {
            int ways = (names.isEmpty() ? 0 : 1) + (regex == null ? 0 : 1) + (allLinear ? 1 : 0);
            if (ways != 1) {
                throw new AdapterConfigException(
                        "give exactly one of module names, a regular expression and all-linear as"
                                + " targets, but there are "
                                + ways);
            }
            if (!layers.isEmpty() && names.isEmpty()) {
                throw new AdapterConfigException(
                        "layers_to_transform "
                                + layers
                                + " needs target modules by name, but they are "
                                + (allLinear ? ALL_LINEAR : "re:" + regex));
            }
            if (!layersPattern.isEmpty() && layers.isEmpty()) {
                throw new AdapterConfigException(
                        "layers_pattern " + layersPattern + " needs layers_to_transform");
            }
            if (excludeRegex != null && !excludeNames.isEmpty()) {
                throw new AdapterConfigException(
                        "exclude modules by names or by a regular expression, not both: "
                                + excludeNames
                                + " and "
                                + excludeRegex);
            }
            requireRegex(regex);
            requireRegex(excludeRegex);
            layersPattern.forEach(Builder::requireRegex);
            return new TargetModules(this);
        }

        private static void requireRegex(@Nullable String expression) {
            try {
                if (expression != null) {
                    Pattern.compile(expression);
                }
            } catch (PatternSyntaxException e) {
                throw new AdapterConfigException(
                        "\"" + expression + "\" is not a regular expression: " + e.getDescription(),
                        e);
            }
        }
    }
}
