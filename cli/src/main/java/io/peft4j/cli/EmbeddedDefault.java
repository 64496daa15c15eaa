package io.peft4j.cli;

import io.peft4j.files.AtomicDirectories;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The small pretrained model and the data that compare uses when it is given none. */
final class EmbeddedDefault {

    private static final List<String> DATA = List.of("sft_train.jsonl", "sft_eval.jsonl");

    private static final List<String> PIPELINE =
            List.of(
                    "sums_sft.jsonl",
                    "sums_prompts.jsonl",
                    "sums_heldout.jsonl",
                    "dpo_train.jsonl",
                    "dpo_eval.jsonl");

    private EmbeddedDefault() {}

    /** Where the parts are. */
    record Paths(Path model, Path data, Path evalData) {}

    /** Refuses early if this build has no weights. */
    static void check() {
        if (!Files.exists(TestData.path("embedded/model").resolve("model.safetensors"))) {
            throw new UsageException(
                    "this build has no embedded model: give --model, --data and --eval-data");
        }
    }

    /**
     * Copies model and data, which may lie inside a jar, so that later commands find them.
     *
     * @param target a new directory, or one that has them already
     */
    static Paths copy(Path target) throws IOException {
        if (!Files.isDirectory(target)) {
            publish(target, DATA);
        }
        return new Paths(
                target.resolve("model"), target.resolve(DATA.get(0)), target.resolve(DATA.get(1)));
    }

    /**
     * The same for a pipeline, which has data of its own.
     *
     * @param target a new directory, or one that has them already
     */
    static void copyAll(Path target) throws IOException {
        if (!Files.isDirectory(target)) {
            List<String> data = new ArrayList<>(DATA);
            data.addAll(PIPELINE);
            publish(target, data);
        }
    }

    private static void publish(Path target, List<String> data) throws IOException {
        AtomicDirectories.publish(
                target,
                directory -> {
                    Path model = Files.createDirectory(directory.resolve("model"));
                    try (Stream<Path> files = Files.list(TestData.path("embedded/model"))) {
                        for (Path file : files.filter(Files::isRegularFile).toList()) {
                            Files.copy(file, model.resolve(file.getFileName().toString()));
                        }
                    }
                    for (String name : data) {
                        Files.copy(TestData.path("embedded/" + name), directory.resolve(name));
                    }
                });
    }
}
