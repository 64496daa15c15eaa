package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.testdata.TestData;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What README says of the model and data that lie in the repository. */
final class EmbeddedDefaultTest {

    private static final String MODEL = TestData.path("embedded/model").toString();

    @TempDir private Path directory;

    @Test
    void embeddedModelBeatsTheNgramOnHeldOutTextInBitsPerByte() throws Exception {
        JsonObject baseline =
                JsonParser.parseString(Files.readString(TestData.path("embedded/baseline.json")))
                        .getAsJsonObject();
        String heldOut = TestData.path("embedded/heldout.jsonl").toString();
        JsonObject result =
                CommandRun.of("eval", "--model", MODEL, "--data", heldOut, "--json").json();
        assertThat(result.get("tokens").getAsInt()).isEqualTo(29_975);
        double bits = result.get("loss").getAsDouble() * 29_975 / Math.log(2);
        assertThat(bits / baseline.get("heldout_bytes").getAsInt())
                .isLessThan(baseline.get("heldout_bits_per_byte").getAsDouble());
    }

    @Test
    void aFewStepsOfTheDefaultComparisonLowerTheHeldOutLossOfBothMethods() {
        Path output = directory.resolve("out");
        JsonObject results =
                CommandRun.of(
                                "compare",
                                "--ranks",
                                "4",
                                "--max-steps",
                                "6",
                                "--output",
                                output.toString(),
                                "--json")
                        .json();
        assertThat(results.getAsJsonArray("runs")).hasSize(2);
        for (JsonElement element : results.getAsJsonArray("runs")) {
            JsonObject run = element.getAsJsonObject();
            assertThat(run.get("loss_after").getAsDouble())
                    .as(run.get("method").getAsString())
                    .isLessThan(run.get("loss_before").getAsDouble() - 0.3);
            assertThat(Path.of(run.get("adapter").getAsString()))
                    .isDirectoryContaining("glob:**/adapter_model.safetensors");
        }
        assertThat(output.resolve("report.html")).isNotEmptyFile();
        assertThat(output.resolve("loss_curves.png")).isNotEmptyFile();
        assertThat(Path.of(results.get("model").getAsString())).isDirectory();
        assertThat(Path.of(results.get("eval_data").getAsString())).isNotEmptyFile();
    }
}
