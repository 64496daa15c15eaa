package io.peft4j.cli.compare;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/** Made-up comparisons. */
final class Samples {

    private static final int STEPS = 60;

    private Samples() {}

    static Variant variant(String method, int rank) {
        return new Variant(
                method,
                method.equals(Grid.FULL) ? OptionalInt.empty() : OptionalInt.of(rank),
                0.005,
                Optional.empty());
    }

    static ComparedRun run(Variant variant, long seed, double after) {
        RunSpec spec = new RunSpec(variant, seed);
        List<Point> training = new ArrayList<>();
        List<Point> heldOut = new ArrayList<>();
        for (int step = 1; step <= STEPS; step++) {
            double loss = after + (4.4 - after) * Math.exp(-step / 12.0);
            training.add(new Point(step, loss + 0.1 * Math.sin(step * 7 + seed)));
            if (step % 20 == 0) {
                heldOut.add(new Point(step, step == STEPS ? after : loss));
            }
        }
        RunResult result =
                new RunResult(
                        12345,
                        4.3985,
                        after,
                        STEPS,
                        25.25,
                        1234.4,
                        512,
                        true,
                        variant.rank().isPresent()
                                ? OptionalDouble.of(1e-6)
                                : OptionalDouble.empty(),
                        1,
                        2);
        return ComparedRun.finished(
                spec,
                Path.of("out", new RunNames(0.005, 42).of(spec)),
                result,
                new RunMetrics(training, heldOut, 30_000, 25.25));
    }

    static List<ComparedRun> runs(Variant variant, double... after) {
        List<ComparedRun> runs = new ArrayList<>();
        for (int i = 0; i < after.length; i++) {
            runs.add(run(variant, i + 1, after[i]));
        }
        return runs;
    }

    @SafeVarargs
    static Comparison comparison(List<ComparedRun>... rows) {
        List<ComparedRun> all = new ArrayList<>();
        for (List<ComparedRun> row : rows) {
            all.addAll(row);
        }
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("base model", "out/embedded/model");
        facts.put("base model's SHA-256", "0123456789abcdef".repeat(4));
        facts.put("batch size", "8, gradient accumulation 1 & more");
        facts.put("software", "peft4j 0.1.0-SNAPSHOT; DJL 0.36.0, PyTorch 2.7.1, Java 17");
        return new Comparison(
                "models/<script>alert('x')</script>", "train.jsonl", "eval.jsonl", facts, all);
    }

    /** Four variants, of which one is told apart, with three seeds each. */
    static Comparison seeds() {
        return comparison(
                runs(variant("lora", 8), 1.6627, 1.6702, 1.6581),
                runs(variant("lora", 16), 1.5658, 1.5712, 1.5601),
                runs(variant("dora", 8), 1.6491, 1.6589, 1.6502),
                runs(variant("dora", 16), 1.5330, 1.5291, 1.5402));
    }
}
