package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import io.peft4j.testdata.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code train --dry-run}, on a directory without weights. */
final class DryRunTest {

    private static final Path MODEL = TestData.path("golden/openelm/model");

    @TempDir private Path directory;
    private Path model;
    private Path data;

    @BeforeEach
    void aModelWithoutWeights() throws Exception {
        model = Files.createDirectories(directory.resolve("model"));
        Files.copy(MODEL.resolve("config.json"), model.resolve("config.json"));
        data = directory.resolve("data.jsonl");
        Files.writeString(
                data,
                "{\"input_ids\": [1, 9, 30, 12, 50, 7]}\n{\"input_ids\": [4, 8, 15]}\n"
                        + "{\"input_ids\": [1, 2, 3, 4]}\n");
    }

    private CommandRun dryRun(Object... flags) {
        List<Object> args =
                new ArrayList<>(List.of("train", "--model", model, "--data", data, "--dry-run"));
        args.addAll(List.of(flags));
        return CommandRun.of(args.toArray());
    }

    @ParameterizedTest
    @CsvSource({"lora", "dora"})
    void whatATrainingTrainsIsToldWithoutWeights(String method) throws Exception {
        JsonObject plan =
                dryRun("--method", method, "--rank", "3", "--batch-size", "2", "--json").json();
        try (var entries = Files.list(directory)) {
            assertThat(entries).containsExactlyInAnyOrder(model, data);
        }
        assertThat(plan.get("batch_size").getAsInt()).isEqualTo(2);
        assertThat(plan.get("length").getAsInt()).isEqualTo(6);
        assertThat(plan.get("gradient_checkpointing").getAsBoolean()).isFalse();
        Path output = directory.resolve("adapter");
        CommandRun trained =
                CommandRun.of(
                        "train",
                        "--model",
                        MODEL,
                        "--data",
                        data,
                        "--method",
                        method,
                        "--rank",
                        "3",
                        "--max-steps",
                        "1",
                        "--output",
                        output);
        assertThat(trained.code()).as(trained.err()).isZero();
        assertThat(trained.err()).contains("gradient checkpointing is off: a step needs about");
        long parameters =
                CommandRun.of("inspect", output, "--json").json().get("parameters").getAsLong();
        assertThat(plan.get("gradients_bytes").getAsLong()).isEqualTo(4 * parameters);
        assertThat(plan.get("optimizer_bytes").getAsLong()).isEqualTo(8 * parameters);
        long weights =
                CommandRun.of("inspect", "--model", MODEL, "--json")
                        .json()
                        .get("parameters")
                        .getAsLong();
        assertThat(plan.get("weights_bytes").getAsLong()).isEqualTo(4 * weights);
    }

    @Test
    void checkpointingKeepsLessAndIsWhatIsAskedFor() {
        JsonObject off = dryRun("--gradient-checkpointing", "off", "--json").json();
        JsonObject on = dryRun("--gradient-checkpointing", "on", "--json").json();
        assertThat(on.get("gradient_checkpointing").getAsBoolean()).isTrue();
        assertThat(on.get("kept_activations_bytes").getAsLong())
                .isLessThan(off.get("kept_activations_bytes").getAsLong());
        assertThat(on.get("peak_bytes")).isEqualTo(off.get("peak_with_checkpointing_bytes"));
        assertThat(off.get("peak_bytes")).isEqualTo(on.get("peak_without_checkpointing_bytes"));
        assertThat(on.get("peak_bytes").getAsLong()).isLessThan(off.get("peak_bytes").getAsLong());
        long constant = 0;
        for (String part : List.of("weights", "adapters", "gradients", "optimizer", "floor")) {
            constant += off.get(part + "_bytes").getAsLong();
        }
        long step = off.get("peak_bytes").getAsLong() - constant;
        long kept = off.get("kept_activations_bytes").getAsLong();
        long layer = off.get("largest_layer_bytes").getAsLong();
        long head = off.get("head_and_loss_bytes").getAsLong();
        assertThat(step).isBetween(kept + head, kept + Math.max(layer, head) + kept / 10);
    }

    @Test
    void whatExpertsTakeIsTold() throws Exception {
        Path mixtral = TestData.path("golden/experts/model").resolve("config.json");
        Files.copy(mixtral, model.resolve("config.json"), StandardCopyOption.REPLACE_EXISTING);
        JsonObject linear = dryRun("--target-modules", "all-linear", "--json").json();
        assertThat(linear.get("reason").getAsString()).startsWith("a step needs about");
        assertThat(linear.get("peak_with_checkpointing_bytes").getAsLong())
                .isLessThan(linear.get("peak_without_checkpointing_bytes").getAsLong());
        JsonObject attention = dryRun("--target-modules", "q_proj", "--json").json();
        assertThat(attention.get("kept_activations_bytes").getAsLong())
                .isLessThan(linear.get("kept_activations_bytes").getAsLong());
    }

    @Test
    void sixteenBitsHalveTheWeights() {
        long wide = dryRun("--json").json().get("weights_bytes").getAsLong();
        JsonObject narrow = dryRun("--dtype", "bfloat16", "--json").json();
        assertThat(narrow.get("weights_bytes").getAsLong()).isEqualTo(wide / 2);
        assertThat(narrow.get("dtype").getAsString()).isEqualTo("bfloat16");
    }

    @ParameterizedTest
    @CsvSource({"--method full", "--method dora --init pissa", "--target-modules token_embeddings"})
    void whatAutogradComputesIsNotTold(String flags) {
        CommandRun run = dryRun((Object[]) flags.split(" "));
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("autograd computes the layers").contains("comes on top");
        List<Object> more = new ArrayList<>(List.of(flags.split(" ")));
        more.addAll(List.of("--gradient-checkpointing", "on"));
        CommandRun refused = dryRun(more.toArray());
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err()).contains("gradient checkpointing cannot be had");
        assertThat(refused.err().lines()).hasSize(1);
    }

    @Test
    void peopleReadMegabytes() {
        CommandRun run = dryRun();
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out())
                .contains("method: lora", "rank: 16", "weights", "optimizer", "largest layer")
                .containsPattern("peak +[0-9,]+\\.[0-9]");
    }
}
