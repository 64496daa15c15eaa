package io.peft4j.cli;

import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A small pipeline on the small OpenELM: fine-tuning, then preferences, each evaluated. */
record PipelineSample(Path directory) {

    private static final Path TOKENIZER = TestData.path("golden/tokenizer");
    private static final Path PAIRS = TestData.path("dpo/rows.jsonl");

    static final String STAGES =
            """
            stages:
              sft:
                command: train
                data: ROWS
                max-steps: 6
              dpo:
                tokenizer: TOKENIZER
                data: PAIRS
                max-length: 32
                max-steps: 5
            """;

    Path output() {
        return directory.resolve("out");
    }

    /** Writes the file; a line that is given takes the place of the one with its key. */
    Path write(String... changes) throws IOException {
        return write(
                """
                # line 1
                model: MODEL
                rank: 4
                batch-size: 2
                learning-rate: 5e-3
                save-steps: 2
                output: OUTPUT
                evaluation:
                  data: ROWS
                """
                        + STAGES,
                changes);
    }

    private Path write(String text, String... changes) throws IOException {
        Path rows = directory.resolve("rows.jsonl");
        if (!Files.exists(rows)) {
            GoldenRows.write(rows);
        }
        List<String> lines = new ArrayList<>(text.lines().toList());
        for (String change : changes) {
            String key = change.substring(0, change.indexOf(':') + 1);
            lines.replaceAll(line -> line.startsWith(key) ? change : line);
        }
        return Files.writeString(
                directory.resolve("pipeline.yaml"),
                String.join("\n", lines)
                        .replace("MODEL", GoldenRows.MODEL.toString())
                        .replace("OUTPUT", output().toString())
                        .replace("ROWS", rows.toString())
                        .replace("TOKENIZER", TOKENIZER.toString())
                        .replace("PAIRS", PAIRS.toString()));
    }

    static CommandRun run(Path file, Object... more) {
        List<Object> args = new ArrayList<>(List.of("pipeline", file));
        args.addAll(Arrays.asList(more));
        return CommandRun.of(args.toArray());
    }

    byte[] adapter(String stage) throws IOException {
        return Files.readAllBytes(output().resolve(stage + "/adapter_model.safetensors"));
    }
}
