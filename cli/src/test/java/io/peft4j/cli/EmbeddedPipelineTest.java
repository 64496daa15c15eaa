package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The embedded pipeline, cut to some steps and prompts. */
final class EmbeddedPipelineTest {

    @TempDir private Path directory;

    @Test
    void everyStageIsDoneAndItsHeldOutRewardIsMeasuredBeforeAndAfter() throws IOException {
        Path prompts = rows("sums_prompts.jsonl", 8);
        Path heldOut = rows("sums_heldout.jsonl", 46);
        List<Object> args = new ArrayList<>(List.of("pipeline", "--json"));
        args.addAll(List.of("--output", directory.resolve("out")));
        for (String change :
                List.of(
                        "evaluation.data=" + heldOut,
                        "sft.max-steps=24",
                        "samples.data=" + prompts,
                        "samples.threshold=0",
                        "refined.max-steps=1",
                        "ppo.data=" + prompts,
                        "ppo.batch-size=2",
                        "ppo.max-steps=1",
                        "dpo.prompts=" + prompts,
                        "dpo.max-steps=1")) {
            args.addAll(List.of("--set", change));
        }
        CommandRun run = CommandRun.of(args.toArray());
        assertThat(run.code()).as(run.err()).isZero();
        JsonArray stages = run.json().getAsJsonArray("stages");
        List<String> names = new ArrayList<>();
        double last = Double.NaN;
        for (JsonElement element : stages) {
            JsonObject stage = element.getAsJsonObject();
            names.add(stage.get("stage").getAsString());
            if (stage.get("stage").getAsString().equals("samples")) {
                continue;
            }
            double before = stage.get("held_out_reward_before").getAsDouble();
            assertThat(before).isBetween(0.0, 1.0);
            if (!Double.isNaN(last)) {
                assertThat(before).isEqualTo(last);
            }
            last = stage.get("held_out_reward_after").getAsDouble();
        }
        assertThat(names).containsExactly("sft", "samples", "refined", "ppo", "dpo");
        JsonObject sft = stages.get(0).getAsJsonObject();
        assertThat(sft.get("held_out_reward_after").getAsDouble())
                .isGreaterThan(sft.get("held_out_reward_before").getAsDouble());
        JsonObject dpo = stages.get(4).getAsJsonObject();
        assertThat(dpo.get("steps").getAsInt()).isBetween(1, 2); // one per iteration that had pairs
        assertThat(directory.resolve("out/dpo/adapter_model.safetensors")).isNotEmptyFile();
        assertThat(Files.readString(directory.resolve("out/report.html")))
                .contains("Held-out reward after each stage", "ppo: reward");
    }

    private Path rows(String name, int count) throws IOException {
        List<String> lines = Files.readAllLines(TestData.path("embedded/" + name));
        return Files.write(directory.resolve(name), lines.subList(0, count));
    }
}
