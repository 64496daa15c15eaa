package io.peft4j.cli;

import io.peft4j.cli.pipeline.PipelineException;
import io.peft4j.cli.pipeline.Place;
import io.peft4j.cli.pipeline.Setting;
import io.peft4j.cli.pipeline.StageSpec;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The flags of one stage, checked against picocli's own model of its command: names, types, and
 * what must not be missing.
 */
final class StageFlags {

    static final String OUTPUT = "output";
    static final String ADAPTER = "adapter";
    static final String MODEL = "model";
    static final String RESUME = "resume";
    static final String JSON = "json";

    /** These the pipeline gives itself, or they make no sense in one. */
    private static final Set<String> OWN =
            Set.of(OUTPUT, RESUME, JSON, "dry-run", "help", "version", "verbose");

    /** These change what is kept or told, and not the result. */
    private static final Set<String> WITHOUT_EFFECT =
            Set.of(OUTPUT, "save-steps", "reference-cache", "report-to", "logging-dir");

    private static final Pattern WEIGHT = Pattern.compile("=[-+.0-9eE]+$");

    private final CommandLine root;
    private final CommandSpec command;
    private final StageSpec stage;
    private final Map<String, Setting> settings = new LinkedHashMap<>();

    /**
     * Begins with the flags of the file.
     *
     * @param root the whole command line, to parse with
     * @param stage the stage, whose command is one of the root's
     * @param common flags for all stages, of which those are taken that the command has
     */
    StageFlags(CommandLine root, StageSpec stage, Map<String, Setting> common) {
        this.root = root;
        this.stage = stage;
        command = spec(root, stage.command());
        common.forEach(
                (key, setting) -> {
                    if (takes(root, stage.command(), key)) {
                        settings.put(key, setting);
                    }
                });
        stage.settings()
                .forEach(
                        (key, setting) -> {
                            if (OWN.contains(key)) {
                                throw setting.place()
                                        .refused("\"" + key + "\" is for the pipeline to say");
                            }
                            if (option(key) == null) {
                                throw unknown(
                                        setting,
                                        stage.command(),
                                        root,
                                        stage.command() + " has no flag");
                            }
                            settings.put(key, setting);
                        });
    }

    /** Says that a command has no such flag, and which of its flags is the nearest. */
    static PipelineException unknown(
            Setting setting, String command, CommandLine root, String who) {
        List<String> nearest =
                new UnmatchedArgumentException(
                                spec(root, command).commandLine(), List.of("--" + setting.key()))
                        .getSuggestions().stream()
                                .filter(name -> name.startsWith("--"))
                                .map(name -> name.substring(2))
                                .filter(name -> !OWN.contains(name))
                                .toList();
        return setting.place()
                .refused(
                        who
                                + " \""
                                + setting.key()
                                + "\""
                                + (nearest.isEmpty()
                                        ? ""
                                        : "; nearest: " + String.join(", ", nearest)));
    }

    /** Tells whether a command has a flag that a file may say. */
    static boolean takes(CommandLine root, String command, String key) {
        return knows(root, command, key) && !OWN.contains(key);
    }

    /** Tells whether a command's output is one file of rows. */
    static boolean writesFile(CommandLine root, String command) {
        OptionSpec option = spec(root, command).findOption("--" + OUTPUT);
        return option != null && option.paramLabel().endsWith(".jsonl");
    }

    /** Tells whether a command has a flag, be it the pipeline's to give. */
    static boolean knows(CommandLine root, String command, String key) {
        return spec(root, command).findOption("--" + key) != null;
    }

    private static CommandSpec spec(CommandLine root, String command) {
        CommandLine found = root.getSubcommands().get(command);
        if (found == null) {
            throw new IllegalArgumentException("there is no command " + command);
        }
        return found.getCommandSpec();
    }

    Optional<Setting> get(String key) {
        return Optional.ofNullable(settings.get(key));
    }

    void put(String key, String value) {
        settings.put(key, new Setting(key, List.of(value), stage.place()));
    }

    void remove(String key) {
        settings.remove(key);
    }

    /** Replaces every {@code ${name}} in the values. */
    void resolve(StageReferences references) {
        settings.replaceAll((key, setting) -> references.resolve(setting));
    }

    /**
     * Returns the flags as one would type them, after picocli has read them once.
     *
     * @throws PipelineException if a value is not of its flag's type, or a flag is missing
     */
    List<String> typed() {
        List<String> words = new ArrayList<>();
        settings.forEach((key, setting) -> words.addAll(typed(setting, required(key))));
        List<String> all = new ArrayList<>(List.of(stage.command()));
        all.addAll(words);
        try {
            root.parseArgs(all.toArray(new String[0]));
        } catch (MissingParameterException e) {
            throw stage.place()
                    .refused(
                            "the stage \""
                                    + stage.name()
                                    + "\" needs "
                                    + String.join(
                                            ", ",
                                            e.getMissing().stream().map(this::name).toList()));
        } catch (ParameterException e) {
            throw place(e.getArgSpec()).refused(Failure.line(e));
        }
        return words;
    }

    private static List<String> typed(Setting setting, OptionSpec option) {
        String flag = "--" + setting.key();
        if (option.arity().max() == 0) {
            return switch (setting.text()) {
                case "true" -> List.of(flag);
                case "false" -> List.of();
                default ->
                        throw setting.place()
                                .refused(
                                        "\""
                                                + setting.key()
                                                + "\" must be true or false, but is \""
                                                + setting.text()
                                                + "\"");
            };
        }
        boolean repeated = option.isMultiValue() && option.splitRegex().isEmpty();
        List<String> words = new ArrayList<>();
        for (String value : repeated ? setting.values() : List.of(setting.text())) {
            if (value.startsWith("-")) { // it would be taken for a flag
                words.add(flag + "=" + value);
            } else {
                words.addAll(List.of(flag, value));
            }
        }
        return words;
    }

    /** What decides the result, but for the content of files. */
    Map<String, String> deciding() {
        Map<String, String> deciding = new LinkedHashMap<>();
        settings.forEach(
                (key, setting) -> {
                    if (!WITHOUT_EFFECT.contains(key)) {
                        deciding.put("--" + key, setting.text());
                    }
                });
        return deciding;
    }

    /** Flags that name files or directories. */
    Map<String, Path> inputs() {
        Map<String, Path> inputs = new LinkedHashMap<>();
        settings.forEach(
                (key, setting) -> {
                    if (WITHOUT_EFFECT.contains(key)) {
                        return;
                    }
                    List<String> values = setting.values();
                    for (int i = 0; i < values.size(); i++) {
                        String flag = "--" + key + (values.size() == 1 ? "" : "[" + i + "]");
                        input(required(key), values.get(i))
                                .ifPresent(path -> inputs.put(flag, path));
                    }
                });
        return inputs;
    }

    /**
     * What a value names, which need not exist yet. Judges of answers are texts: a source file or a
     * reward model's directory, with or without a weight.
     */
    private static Optional<Path> input(OptionSpec option, String value) {
        Class<?> type = option.isMultiValue() ? option.auxiliaryTypes()[0] : option.type();
        if (type == Path.class || type == Source.class) {
            return Optional.of(Path.of(value));
        }
        String name = WEIGHT.matcher(value).replaceFirst("");
        return type == String.class && (name.contains("/") || name.endsWith(".java"))
                ? Optional.of(Path.of(name))
                : Optional.empty();
    }

    private @Nullable OptionSpec option(String key) {
        return command.findOption("--" + key);
    }

    private OptionSpec required(String key) {
        OptionSpec option = option(key);
        if (option == null) {
            throw new IllegalStateException(stage.command() + " has no flag " + key);
        }
        return option;
    }

    private String name(ArgSpec missing) {
        return missing instanceof OptionSpec option
                ? "\"" + option.longestName().substring(2) + "\""
                : missing.paramLabel();
    }

    private Place place(@Nullable ArgSpec wrong) {
        return wrong instanceof OptionSpec option
                ? Arrays.stream(option.names())
                        .flatMap(name -> get(name.substring(2)).stream())
                        .map(Setting::place)
                        .findFirst()
                        .orElse(stage.place())
                : stage.place();
    }
}
