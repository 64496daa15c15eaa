package io.peft4j.cli;

import io.peft4j.cli.compare.ComparedRun;
import io.peft4j.cli.compare.Grid;
import io.peft4j.cli.compare.RunResult;
import io.peft4j.torch.Processor;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** What a comparison's report tells of how it was made. */
final class RunFacts {

    private RunFacts() {}

    static Map<String, String> of(
            RunSettings settings, CompareInputs.Hashes hashes, Grid grid, List<ComparedRun> runs)
            throws IOException {
        List<RunResult> results = runs.stream().flatMap(run -> run.result().stream()).toList();
        CompareInputs inputs = settings.inputs();
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("base model", inputs.source().name());
        facts.put("base model's SHA-256", hashes.base());
        facts.put("computed in", settings.dtype().torchName());
        facts.put("training data", rows(inputs.data(), inputs.examples().size()));
        facts.put("training tokens' SHA-256", hashes.data());
        facts.put("held-out data", rows(inputs.evalData(), inputs.heldOut().size()));
        facts.put("held-out tokens' SHA-256", hashes.heldOut());
        facts.put("methods", String.join(", ", grid.methods()));
        facts.put("ranks", join(grid.ranks()));
        facts.put("learning rates", join(grid.learningRates()));
        facts.put(
                "target modules",
                grid.targets().stream()
                        .map(set -> set.orElse("the family's own"))
                        .collect(Collectors.joining("; ")));
        facts.put("seeds", join(grid.seeds()));
        facts.putAll(settings.training().describe());
        facts.putAll(settings.adapter().describe());
        facts.put("native threads of a run", distinct(results, RunResult::threads));
        facts.put("runs side by side", distinct(results, RunResult::sideBySide));
        facts.put("software", String.join("; ", new Version().getVersion()));
        facts.put("machine", machine());
        facts.put("report written", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        return facts;
    }

    /** System, processor and how many of it. */
    static String machine() {
        return System.getProperty("os.name")
                + " "
                + System.getProperty("os.arch")
                + ", "
                + Processor.name()
                + ", "
                + Runtime.getRuntime().availableProcessors()
                + " processors";
    }

    private static String rows(Object file, int count) {
        return file + " (" + count + " rows)";
    }

    private static String join(List<?> values) {
        return values.stream().map(String::valueOf).collect(Collectors.joining(", "));
    }

    private interface Figure {
        int of(RunResult result);
    }

    private static String distinct(List<RunResult> results, Figure figure) {
        return results.stream()
                .map(figure::of)
                .distinct()
                .sorted()
                .map(String::valueOf)
                .collect(Collectors.joining(" or "));
    }
}
