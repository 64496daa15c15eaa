package io.peft4j.cli;

import io.peft4j.cli.pipeline.PipelineException;
import io.peft4j.cli.pipeline.PipelineFile;
import io.peft4j.cli.pipeline.PlannedStage;
import io.peft4j.cli.pipeline.Setting;
import io.peft4j.cli.pipeline.StageSpec;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine;

/**
 * Makes commands of a pipeline's file: gives each stage the common flags, its output and the
 * adapter of the stage before, and puts evaluations between them.
 */
final class PipelinePlan {

    /** What a stage can be. */
    private static final List<String> COMMANDS =
            List.of("train", "rejection-sample", "reward", "ppo", "dpo", "eval");

    /** Those of them that train what answers; a reward model only judges. */
    private static final Set<String> POLICY_MAKERS = Set.of("train", "ppo", "dpo");

    /** Those that begin with it, or use it. */
    private static final Set<String> POLICY_USERS =
            Set.of("train", "rejection-sample", "ppo", "dpo", "eval");

    private static final String ROWS = "rows.jsonl";

    private static final List<String> ADAPTER_KEYS = List.of(StageFlags.ADAPTER, "init-adapter");

    /** The value that leaves the adapter of the stage before alone. */
    private static final String NONE = "none";

    private static final String BASE = "the base model";

    private final PipelineFile file;
    private final Path output;
    private final CommandLine root = Peft4j.commandLine();
    private final StageReferences references;
    private final List<PlannedStage> planned = new ArrayList<>();

    private PipelinePlan(PipelineFile file, Path output) {
        this.file = file;
        this.output = output;
        references =
                new StageReferences(
                        output.resolve(StageReferences.EMBEDDED),
                        file.stages().stream().map(StageSpec::name).toList());
    }

    /**
     * What answers: a base model and perhaps an adapter.
     *
     * @param model the base model or, after full training, the directory of the trained one
     * @param adapter the adapter's directory, if there is one
     * @param name the stage that made it, or what else to call it
     */
    private record Policy(Optional<String> model, Optional<String> adapter, String name) {}

    /**
     * Plans.
     *
     * @param file what is asked for
     * @param output the pipeline's directory
     * @throws PipelineException if a flag is unknown, missing, or has a value of the wrong type
     */
    static PipelinePlan of(PipelineFile file, Path output) {
        PipelinePlan plan = new PipelinePlan(file, output);
        plan.checkNames();
        Optional<Policy> last = Optional.empty();
        for (StageSpec stage : file.stages()) {
            last = plan.add(stage, last);
        }
        return plan;
    }

    /** In the order in which they are to be done. */
    List<PlannedStage> stages() {
        return planned;
    }

    /** Tells whether the embedded model or its data must be there. */
    boolean usesEmbedded() {
        return references.usesEmbedded();
    }

    private void checkNames() {
        List<String> known = COMMANDS.stream().filter(root.getSubcommands()::containsKey).toList();
        for (StageSpec stage : file.stages()) {
            if (!known.contains(stage.command())) {
                throw stage.place()
                        .refused(
                                "the command of a stage must be of "
                                        + String.join(", ", known)
                                        + ", but that of \""
                                        + stage.name()
                                        + "\" is \""
                                        + stage.command()
                                        + "\"");
            }
            if (stage.name().equals(StageReferences.EMBEDDED)) {
                throw stage.place()
                        .refused("\"embedded\" names the embedded model; call the stage otherwise");
            }
        }
        file.evaluation()
                .map(evaluation -> evaluation.settings().get(StageFlags.ADAPTER))
                .ifPresent(
                        adapter -> {
                            throw adapter.place().refused("\"adapter\" is for the pipeline to say");
                        });
        for (Setting setting : file.common().values()) {
            if (file.stages().stream().noneMatch(stage -> takes(stage, setting))) {
                throw StageFlags.unknown(
                        setting, file.stages().get(0).command(), root, "no stage has a flag");
            }
        }
    }

    private boolean takes(StageSpec stage, Setting common) {
        return StageFlags.takes(root, stage.command(), common.key());
    }

    private Optional<Policy> add(StageSpec stage, Optional<Policy> last) {
        StageFlags flags = new StageFlags(root, stage, file.common());
        if (POLICY_USERS.contains(stage.command())) {
            follow(flags, stage, last);
        }
        flags.resolve(references);
        Optional<Path> directory =
                StageFlags.knows(root, stage.command(), StageFlags.OUTPUT)
                        ? Optional.of(output.resolve(stage.name()))
                        : Optional.empty();
        Optional<Path> written = directory.map(path -> written(stage, path));
        written.ifPresent(path -> flags.put(StageFlags.OUTPUT, path.toString()));
        if (directory.isEmpty() || !POLICY_MAKERS.contains(stage.command())) {
            plan(stage, flags, directory, Optional.empty(), Optional.empty());
            written.ifPresent(path -> references.add(stage.name(), path));
            return last;
        }
        Policy start = start(flags);
        Policy made = made(stage, flags, start, directory.get());
        planEvaluation(start);
        plan(stage, flags, directory, evaluationOf(start), evaluationOf(made));
        references.add(stage.name(), directory.get());
        planEvaluation(made);
        return Optional.of(made);
    }

    /**
     * What a stage writes: a file in its directory if its command writes one, or else all of it.
     */
    private Path written(StageSpec stage, Path directory) {
        return StageFlags.writesFile(root, stage.command()) ? directory.resolve(ROWS) : directory;
    }

    /** Lets a stage begin with what the stage before made, unless it says otherwise. */
    private static void follow(StageFlags flags, StageSpec stage, Optional<Policy> last) {
        for (String key : ADAPTER_KEYS) {
            if (stage.settings().containsKey(key)) {
                if (stage.settings().get(key).text().equals(NONE)) {
                    flags.remove(key);
                }
                return;
            }
        }
        if (last.isEmpty() || trainsInFull(flags)) {
            return;
        }
        Policy policy = last.get();
        policy.adapter().ifPresent(adapter -> flags.put(StageFlags.ADAPTER, adapter));
        if (!stage.settings().containsKey(StageFlags.MODEL)) {
            policy.model().ifPresent(model -> flags.put(StageFlags.MODEL, model));
        }
    }

    private Policy start(StageFlags flags) {
        Optional<String> model = flags.get(StageFlags.MODEL).map(Setting::text);
        Optional<String> adapter =
                ADAPTER_KEYS.stream()
                        .flatMap(key -> flags.get(key).stream())
                        .map(Setting::text)
                        .findFirst();
        return new Policy(model, adapter, name(adapter.or(() -> model).orElse(BASE)));
    }

    /** The stage that made it, if one did. */
    private String name(String directory) {
        return planned.stream()
                .filter(stage -> stage.output().map(Path::toString).equals(Optional.of(directory)))
                .map(PlannedStage::name)
                .findFirst()
                .orElse(directory);
    }

    private static Policy made(StageSpec stage, StageFlags flags, Policy start, Path directory) {
        Optional<String> made = Optional.of(directory.toString());
        return trainsInFull(flags)
                ? new Policy(made, Optional.empty(), stage.name())
                : new Policy(start.model(), made, stage.name());
    }

    private static boolean trainsInFull(StageFlags flags) {
        return flags.get("method").filter(method -> method.text().equals(Methods.FULL)).isPresent();
    }

    private Optional<String> evaluationOf(Policy policy) {
        return file.evaluation().map(unused -> PlannedStage.EVALUATION_OF + policy.name());
    }

    /** Once for each policy, however many stages begin with it. */
    private void planEvaluation(Policy policy) {
        if (file.evaluation().isEmpty()) {
            return;
        }
        StageSpec given = file.evaluation().get();
        String name = PlannedStage.EVALUATION_OF + policy.name();
        if (planned.stream().anyMatch(stage -> stage.name().equals(name))) {
            return;
        }
        StageSpec stage = new StageSpec(name, given.command(), given.settings(), given.place());
        StageFlags flags = new StageFlags(root, stage, file.common());
        flags.remove(StageFlags.ADAPTER);
        flags.resolve(references);
        policy.model().ifPresent(model -> flags.put(StageFlags.MODEL, model));
        policy.adapter().ifPresent(adapter -> flags.put(StageFlags.ADAPTER, adapter));
        plan(stage, flags, Optional.empty(), Optional.empty(), Optional.empty());
    }

    private void plan(
            StageSpec stage,
            StageFlags flags,
            Optional<Path> directory,
            Optional<String> before,
            Optional<String> after) {
        planned.add(
                new PlannedStage(
                        stage.name(),
                        stage.command(),
                        flags.typed(),
                        flags.deciding(),
                        flags.inputs(),
                        directory,
                        StageFlags.knows(root, stage.command(), StageFlags.RESUME),
                        before,
                        after));
    }
}
