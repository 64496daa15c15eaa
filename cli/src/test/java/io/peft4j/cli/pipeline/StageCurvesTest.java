package io.peft4j.cli.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.cli.compare.Point;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class StageCurvesTest {

    @TempDir private Path directory;

    @Test
    void ofAStageWithRewardsTheyAreToldOnceAndNoLossBelowZero() throws IOException {
        Files.writeString(
                directory.resolve("metrics.jsonl"),
                """
                {"step": 1, "loss": 0.5, "reward": 0.25, "objective/scores": 0.25}
                {"step": 1, "eval_loss": -0.75, "eval_reward": 0.75}
                """);
        Map<String, List<Point>> curves = StageCurves.read(directory).byName();
        assertThat(curves).containsOnlyKeys("loss", "reward", "eval_reward");
        JsonObject none = new JsonObject();
        JsonObject printed =
                JsonParser.parseString("{\"eval_loss\": -0.75, \"eval_reward\": 0.75}")
                        .getAsJsonObject();
        StageResult result =
                new StageResult(ppo(), 1, printed, none, none, StageCurves.read(directory));
        assertThat(result.heldOutLossAfter()).isEmpty();
        assertThat(result.rewardAfter()).hasValue(0.75);
    }

    private PlannedStage ppo() {
        return new PlannedStage(
                "ppo",
                "ppo",
                List.of(),
                Map.of(),
                Map.of(),
                Optional.of(directory),
                true,
                Optional.empty(),
                Optional.empty());
    }
}
