package io.peft4j.cli.pipeline;

import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A pipeline as its YAML file has it:
 *
 * <pre>
 * model: DIR              # flags that all stages get whose command has them
 * rank: 8
 * output: out/pipeline
 * evaluation:             # flags of eval, which is asked before and after each stage that trains
 *   data: held-out.jsonl
 * stages:                 # in this order; each has its command and that command's flags
 *   sft: {command: train, data: train.jsonl}
 *   dpo: {data: pairs.jsonl}
 * </pre>
 *
 * @param output where all goes, if the file says so
 * @param common flags for all stages
 * @param evaluation how adapters are evaluated
 * @param stages in the order in which they are done
 */
public record PipelineFile(
        Optional<Setting> output,
        Map<String, Setting> common,
        Optional<StageSpec> evaluation,
        List<StageSpec> stages) {

    private static final String STAGES = "stages";
    private static final String EVALUATION = "evaluation";
    private static final String OUTPUT = "output";
    private static final String COMMAND = "command";
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,63}");

    /** Copies the settings. */
    public PipelineFile {
        common = Collections.unmodifiableMap(new LinkedHashMap<>(common));
        stages = List.copyOf(stages);
    }

    /**
     * Reads a file.
     *
     * @param file the YAML, UTF-8
     * @return the pipeline, of which no flag has been looked at
     * @throws PipelineException if it is not of that form; the message names file and line
     * @throws IOException if the file cannot be read
     */
    public static PipelineFile read(Path file) throws IOException {
        try {
            return parse(Files.readString(file), file.toString());
        } catch (MalformedInputException e) {
            throw new PipelineException(file + ": expected UTF-8, found other bytes");
        }
    }

    static PipelineFile parse(String text, String file) {
        YamlMapping root = YamlMapping.parse(text, file);
        Map<String, Setting> common = new LinkedHashMap<>();
        Optional<Setting> output = Optional.empty();
        Optional<StageSpec> evaluation = Optional.empty();
        for (String key : root.keys()) {
            switch (key) {
                case STAGES -> {}
                case OUTPUT -> output = Optional.of(root.setting(key));
                case EVALUATION ->
                        evaluation =
                                Optional.of(stage(key, "eval", root.mapping(key, "flags of eval")));
                default -> common.put(key, root.setting(key));
            }
        }
        YamlMapping stages = root.mapping(STAGES, "stages");
        List<StageSpec> list = new ArrayList<>();
        for (String name : stages.keys()) {
            if (!NAME.matcher(name).matches()) {
                throw stages.place(name)
                        .refused(
                                "expected a stage's name of letters, digits, - and _, found \""
                                        + name
                                        + "\"");
            }
            list.add(stage(name, name, stages.mapping(name, "the stage " + name)));
        }
        if (list.isEmpty()) {
            throw root.place(STAGES).refused("expected one stage at least, found none");
        }
        return new PipelineFile(output, common, evaluation, list);
    }

    private static StageSpec stage(String name, String defaultCommand, YamlMapping mapping) {
        String command = mapping.has(COMMAND) ? mapping.setting(COMMAND).text() : defaultCommand;
        Map<String, Setting> settings = new LinkedHashMap<>();
        for (String key : mapping.keys()) {
            if (!key.equals(COMMAND)) {
                settings.put(key, mapping.setting(key));
            }
        }
        return new StageSpec(name, command, settings, mapping.place());
    }

    /**
     * Says something else than the file.
     *
     * @param key a flag for all stages, {@code STAGE.FLAG}, {@code evaluation.FLAG} or {@code
     *     output}
     * @param value its value
     * @param place who says so
     * @return the pipeline with it
     * @throws PipelineException if there is no such stage
     */
    public PipelineFile with(String key, String value, Place place) {
        int dot = key.indexOf('.');
        Setting setting = new Setting(key.substring(dot + 1), List.of(value), place);
        if (key.equals(OUTPUT)) {
            return new PipelineFile(Optional.of(setting), common, evaluation, stages);
        }
        if (dot < 0) {
            Map<String, Setting> changed = new LinkedHashMap<>(common);
            changed.put(key, setting);
            return new PipelineFile(output, changed, evaluation, stages);
        }
        String name = key.substring(0, dot);
        if (name.equals(EVALUATION) && evaluation.isPresent()) {
            return new PipelineFile(
                    output, common, evaluation.map(stage -> stage.with(setting)), stages);
        }
        if (stages.stream().noneMatch(stage -> stage.name().equals(name))) {
            throw place.refused(
                    "there is no stage \""
                            + name
                            + "\"; there are "
                            + String.join(", ", stages.stream().map(StageSpec::name).toList()));
        }
        return new PipelineFile(
                output,
                common,
                evaluation,
                stages.stream()
                        .map(stage -> stage.name().equals(name) ? stage.with(setting) : stage)
                        .toList());
    }
}
