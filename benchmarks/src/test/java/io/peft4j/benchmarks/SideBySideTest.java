package io.peft4j.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

final class SideBySideTest {

    @TempDir private Path work;

    @ParameterizedTest
    @ValueSource(strings = {"float32", "bfloat16"})
    void aSmallShapeIsTimedAndReported(String dtype) throws Exception {
        int exit =
                new CommandLine(new SideBySide())
                        .execute(
                                "--models=smoke",
                                "--methods=lora",
                                "--dtypes=" + dtype,
                                "--batches=2x16",
                                "--rounds=1",
                                "--steps=2",
                                "--work=" + work);

        assertThat(exit).isZero();
        JsonObject result =
                JsonParser.parseString(Files.readString(work.resolve("results.json")))
                        .getAsJsonObject()
                        .getAsJsonArray("results")
                        .get(0)
                        .getAsJsonObject();
        JsonObject ours = result.getAsJsonArray("ours").get(0).getAsJsonObject();
        assertThat(ours.getAsJsonArray("losses")).hasSize(3);
        assertThat(ours.getAsJsonArray("seconds")).hasSize(2);
        assertThat(result.get("gemmSeconds").getAsDouble()).isPositive();
        if (OS.LINUX.isCurrentOs()) { // nearly all of it is the floor
            assertThat(ours.get("foretoldMb").getAsDouble())
                    .isCloseTo(ours.get("stepPeakMb").getAsDouble(), withinPercentage(20));
        }
    }

    @Test
    void layersThatAreComputedAgainAreTimedBesideThoseThatAreNot() throws Exception {
        int exit =
                new CommandLine(new SideBySide())
                        .execute(
                                "--models=smoke",
                                "--methods=dora",
                                "--dtypes=float32",
                                "--batches=2x16",
                                "--gradient-checkpointing=off,on",
                                "--rounds=1",
                                "--steps=1",
                                "--work=" + work);

        assertThat(exit).isZero();
        JsonArray results =
                JsonParser.parseString(Files.readString(work.resolve("results.json")))
                        .getAsJsonObject()
                        .getAsJsonArray("results");
        assertThat(results).hasSize(2);
        assertThat(losses(results.get(1))).isEqualTo(losses(results.get(0)));
    }

    private static JsonArray losses(JsonElement result) {
        JsonArray ours = result.getAsJsonObject().getAsJsonArray("ours");
        return ours.get(0).getAsJsonObject().getAsJsonArray("losses");
    }

    @Test
    void whetherLayersAreComputedAgainIsOnOrOff() {
        int exit =
                new CommandLine(new SideBySide())
                        .execute(
                                "--models=smoke",
                                "--gradient-checkpointing=maybe",
                                "--work=" + work);

        assertThat(exit).isEqualTo(2);
    }

    @Test
    void aBatchThatIsNoneIsRefused() {
        int exit =
                new CommandLine(new SideBySide())
                        .execute("--models=smoke", "--batches=2by16", "--work=" + work);

        assertThat(exit).isEqualTo(2);
    }

    @Test
    void timesOfOtherWorkAreNotCompared() {
        Comparison result = new Comparison(new Workload("smoke", "lora", "float32", 2, 16, "off"));
        result.ours().add(measurement(5.0));
        result.peer().add(measurement(5.01));

        assertThatThrownBy(result::requireEqualLosses)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("smoke lora float32 2x16")
                .hasMessageContaining("5.01");
    }

    @Test
    void aRatioIsTheMedianOfThoseWithinTheRounds() {
        Comparison result = new Comparison(new Workload("smoke", "lora", "float32", 2, 16, "off"));
        for (double seconds : new double[] {1, 6, 2}) {
            result.ours().add(measurement(seconds));
            result.peer().add(measurement(2));
        }

        assertThat(result.ratio(Measurement::medianSeconds)).isEqualTo(1.0);
    }

    private static Measurement measurement(double value) {
        List<Double> values = List.of(value, value, value);
        return new Measurement(values, values, values, 1, 1, 1, Map.of());
    }
}
