package io.peft4j.benchmarks;

import com.google.gson.Gson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Times training beside PEFT: the same work in alternating processes, in rounds. */
@Command(
        name = "benchmark",
        mixinStandardHelpOptions = true,
        showDefaultValues = true,
        description = {
            "Times training steps and weighs their memory, ours beside PEFT's: the same model,"
                    + " adapter and tokens, one process after the other, in rounds of alternating"
                    + " order. Losses must agree first. Use a quiet machine."
        })
public final class SideBySide implements Callable<Integer> {

    @Option(names = "--models", split = ",", description = "shapes")
    private List<String> models = List.of("llama-317m", "openelm-270m");

    @Option(names = "--methods", split = ",", description = "lora, dora")
    private List<String> methods = List.of("lora", "dora");

    @Option(names = "--dtypes", split = ",", description = "float32, bfloat16")
    private List<String> dtypes = List.of("float32", "bfloat16");

    @Option(names = "--batches", split = ",", description = "rows x tokens")
    private List<String> batches = List.of("2x256", "4x512");

    @Option(
            names = "--gradient-checkpointing",
            split = ",",
            description = "off, on: whether both sides compute layers again in backward")
    private List<String> checkpointing = List.of("off");

    @Option(names = "--rounds", description = "how often each side runs")
    private int rounds = 3;

    @Option(names = "--steps", description = "timed steps of a run, behind one that warms up")
    private int steps = 4;

    @Option(
            names = "--python",
            description = "an interpreter with torch, transformers and peft; ours alone if absent")
    private @Nullable String python;

    @Option(names = "--peer", description = "the other side's script")
    private Path peer = Path.of("benchmarks/peer.py");

    @Option(names = "--work", description = "where models are kept between runs")
    private Path work = Path.of("out/benchmark");

    @Option(names = "--commit", description = "what to call this version in the results")
    private String commit = "unknown";

    /**
     * Runs the command.
     *
     * @param arguments the flags
     */
    public static void main(String[] arguments) {
        System.exit(new CommandLine(new SideBySide()).execute(arguments));
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Preparation preparation = new Preparation(work);
        List<Comparison> results = new ArrayList<>();
        System.out.println(Report.header());
        for (String model : models) {
            preparation.prepare(model);
            for (Workload workload : workloads(model)) {
                Comparison result = compare(preparation, workload);
                results.add(result);
                System.out.println(Report.row(result));
                Report.write(work.resolve("results.json"), commit, results);
            }
        }
        return 0;
    }

    private List<Workload> workloads(String model) {
        if (!List.of("on", "off").containsAll(checkpointing)) {
            throw new CommandLine.ParameterException(
                    new CommandLine(this),
                    "--gradient-checkpointing: expected on or off, found " + checkpointing);
        }
        List<Workload> workloads = new ArrayList<>();
        for (String dtype : dtypes) {
            for (String batch : batches) {
                if (!batch.matches("[1-9]\\d{0,5}x[1-9]\\d{0,5}")) {
                    throw new CommandLine.ParameterException(
                            new CommandLine(this),
                            "--batches: expected rows x tokens such as 2x256, found " + batch);
                }
                int[] size = Arrays.stream(batch.split("x")).mapToInt(Integer::parseInt).toArray();
                for (String method : methods) {
                    for (String again : checkpointing) {
                        workloads.add(new Workload(model, method, dtype, size[0], size[1], again));
                    }
                }
            }
        }
        return workloads;
    }

    private Comparison compare(Preparation preparation, Workload workload)
            throws IOException, InterruptedException {
        Path tokens = work.resolve("tokens.txt");
        writeTokens(tokens, workload.tokens(preparation.vocabularySize(workload.model())));
        List<String> arguments =
                List.of(
                        preparation.model(workload.model()).toString(),
                        preparation.adapter(workload.model(), workload.method()).toString(),
                        tokens.toString(),
                        workload.dtype(),
                        String.valueOf(steps + 1),
                        workload.checkpointing());
        Comparison result = new Comparison(workload);
        for (int round = 0; round < rounds; round++) {
            boolean peerFirst = round % 2 == 1;
            if (peerFirst) {
                runPeer(result, arguments);
            }
            result.ours().add(measurement(ChildProcess.java(TrainingProcess.class, arguments)));
            if (!peerFirst) {
                runPeer(result, arguments);
            }
        }
        result.requireEqualLosses();
        String limit =
                ChildProcess.java(
                        GemmLimit.class,
                        List.of(
                                preparation.model(workload.model()).toString(),
                                workload.dtype(),
                                String.valueOf(workload.batch() * workload.length())));
        return result.withLimit(Double.parseDouble(limit));
    }

    private void runPeer(Comparison result, List<String> arguments)
            throws IOException, InterruptedException {
        if (python != null) {
            result.peer().add(measurement(ChildProcess.python(python, peer, arguments)));
        }
    }

    private static Measurement measurement(String json) {
        return new Gson().fromJson(json, Measurement.class);
    }

    private static void writeTokens(Path file, long[][] rows) throws IOException {
        String text =
                Arrays.stream(rows)
                        .map(
                                row ->
                                        Arrays.stream(row)
                                                .mapToObj(String::valueOf)
                                                .collect(Collectors.joining(" ")))
                        .collect(Collectors.joining("\n", "", "\n"));
        Files.writeString(file, text, StandardCharsets.US_ASCII);
    }
}
