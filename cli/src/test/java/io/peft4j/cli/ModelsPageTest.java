package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import io.peft4j.safetensors.SafetensorsFile;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What docs/models.md says, on the golden models through the command line. */
final class ModelsPageTest {

    private static final Path PAGE = Path.of("..", "docs", "models.md");
    private static final Path EXPERTS = TestData.path("golden/experts/model");

    @TempDir private Path directory;

    private static CommandRun run(Object... args) {
        CommandRun run = CommandRun.of(args);
        assertThat(run.code()).as(run.err()).isZero();
        return run;
    }

    private static JsonObject adapters(String family, int row) {
        return run("inspect", "--model", TestData.path("golden/" + family + "/model"), "--json")
                .json()
                .getAsJsonArray("adapters")
                .get(row)
                .getAsJsonObject();
    }

    private static String modules(JsonObject row) {
        List<String> names = new ArrayList<>();
        row.getAsJsonArray("modules").forEach(name -> names.add(name.getAsString()));
        return String.join(", ", names);
    }

    @ParameterizedTest
    @CsvSource({
        "openelm,openelm",
        "llama,llama3",
        "mistral,mistral",
        "qwen2,qwen2",
        "phi3,phi3",
        "mixtral,mixtral"
    })
    void theTableOfFamiliesIsWhatInspectShows(String family, String golden) throws IOException {
        JsonObject usual = adapters(golden, 0);
        JsonObject all = adapters(golden, 1);
        assertThat(usual.get("targets").getAsString()).isEqualTo("default");
        assertThat(all.get("targets").getAsString()).isEqualTo("all-linear");
        assertThat(Files.readString(PAGE))
                .contains("| " + family + " | " + modules(usual) + " | " + modules(all) + " |\n");
    }

    /** Twice what PEFT's get_nb_trainable_parameters gives at rank 8. */
    @ParameterizedTest
    @CsvSource({
        "llama3,14,10752",
        "phi3,8,8832",
        "mistral,21,10560",
        "qwen2,21,10560",
        "llama_bias,14,7808"
    })
    void allLinearTrainsAsManyParametersAsInPeft(String family, int sites, long atRank8) {
        JsonObject all = adapters(family, 1);
        assertThat(all.get("sites").getAsInt()).isEqualTo(sites);
        assertThat(all.get("parameters_at_rank_16").getAsLong()).isEqualTo(2 * atRank8);
    }

    @Test
    void onMixtralTheDefaultIsTheAttentionAndAllLinearTakesExpertsAndRouter() {
        assertThat(adapters("mixtral", 0).get("sites").getAsInt()).isEqualTo(2 * 4);
        JsonObject all = adapters("mixtral", 1);
        assertThat(all.get("sites").getAsInt()).isEqualTo(2 * (4 + 1 + 8 * 3));
        // PEFT's fused pairs have 40,064 at rank 8, of which 6,144 are the zeros between w1 and w3
        assertThat(all.get("parameters_at_rank_16").getAsLong()).isEqualTo(2 * (40064 - 6144));
        assertThat(run("inspect", TestData.path("golden/mixtral/model")).out())
                .containsPattern("default +q_proj, k_proj, v_proj, o_proj +8 +")
                .containsPattern("all-linear +q_proj, .*gate, w1, w3, w2 +58 +67840");
    }

    @ParameterizedTest
    @CsvSource({"default,12", "all-linear,51"})
    void trainTakesWhatInspectShows(String targets, int sites) throws IOException {
        int row = targets.equals("default") ? 0 : 1;
        assertThat(adapters("experts", row).get("sites").getAsInt()).isEqualTo(sites);
        Path output = directory.resolve("out");
        List<Object> args =
                new ArrayList<>(
                        List.of("train", "--model", EXPERTS, "--data", data(), "--output", output));
        args.addAll(List.of("--rank", "16", "--max-steps", "1"));
        if (row == 1) {
            args.addAll(List.of("--target-modules", targets));
        }
        run(args.toArray());
        assertThat(run("inspect", output, "--json").json().get("parameters").getAsLong())
                .isEqualTo(adapters("experts", row).get("parameters_at_rank_16").getAsLong());
    }

    private Path data() throws IOException {
        Path file = directory.resolve("data.jsonl");
        return Files.writeString(file, "{\"input_ids\": [1, 9, 30, 12, 50, 7, 7, 41]}\n");
    }

    private double loss(Path model, Object... adapter) throws IOException {
        List<Object> args =
                new ArrayList<>(List.of("eval", "--model", model, "--data", data(), "--json"));
        args.addAll(List.of(adapter));
        return run(args.toArray()).json().get("loss").getAsDouble();
    }

    @Test
    void aFusedAdapterIsTakenByEveryCommand() throws IOException {
        Path fused = TestData.path("golden/experts/fused_patterns");
        JsonObject facts = run("inspect", fused, "--json").json();
        assertThat(facts.get("experts").getAsString()).isEqualTo("fused");
        assertThat(facts.getAsJsonArray("target_parameters")).hasSize(2);
        double loss = loss(EXPERTS, "--adapter", fused);
        assertThat(loss).isNotEqualTo(loss(EXPERTS));
        Path merged = directory.resolve("merged");
        run(
                "merge",
                "--model",
                EXPERTS,
                "--adapter",
                fused,
                "--output",
                merged,
                "--dtype",
                "float32");
        assertThat(loss(merged)).isCloseTo(loss, within(1e-5));
        Path on = directory.resolve("on");
        run(
                "train",
                "--model",
                EXPERTS,
                "--data",
                data(),
                "--output",
                on,
                "--init-adapter",
                fused,
                "--max-steps",
                "1",
                "--learning-rate",
                "0");
        assertThat(loss(EXPERTS, "--adapter", on)).isEqualTo(loss);
    }

    @Test
    void convertGoesBothWays() throws IOException {
        Path single = TestData.path("golden/experts/single_patterns");
        Path fused = directory.resolve("fused");
        Path again = directory.resolve("again");
        Object[] from = {"convert", "--model", EXPERTS, "--adapter"};
        run(with(from, single, "--experts", "fused", "--output", fused));
        run(with(from, fused, "--experts", "single", "--output", again));
        assertThat(loss(EXPERTS, "--adapter", fused))
                .isEqualTo(loss(EXPERTS, "--adapter", single))
                .isEqualTo(loss(EXPERTS, "--adapter", again));
        try (SafetensorsFile before =
                        SafetensorsFile.open(single.resolve("adapter_model.safetensors"));
                SafetensorsFile after =
                        SafetensorsFile.open(again.resolve("adapter_model.safetensors"))) {
            assertThat(after.names()).containsExactlyInAnyOrderElementsOf(before.names());
        }
        CommandRun twice =
                CommandRun.of(
                        with(
                                from,
                                fused,
                                "--experts",
                                "fused",
                                "--output",
                                directory.resolve("x")));
        assertThat(twice.code()).isEqualTo(2);
        assertThat(twice.err()).contains("has this layout already");
        CommandRun dora =
                CommandRun.of(
                        "convert",
                        "--model",
                        TestData.path("golden/mixtral/model"),
                        "--adapter",
                        TestData.path("golden/mixtral/dora"),
                        "--experts",
                        "fused",
                        "--output",
                        directory.resolve("x"));
        assertThat(dora.code()).isEqualTo(2);
        assertThat(dora.err().lines()).hasSize(1);
        assertThat(dora.err()).contains("PEFT has no DoRA on parameters");
        assertThat(directory.resolve("x")).doesNotExist();
    }

    private static Object[] with(Object[] first, Object... more) {
        List<Object> all = new ArrayList<>(List.of(first));
        all.addAll(List.of(more));
        return all.toArray();
    }

    @Test
    void inspectWithoutADirectorySaysWhatItNeeds() {
        CommandRun run = CommandRun.of("inspect");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("needs a model's or an adapter's directory");
    }
}
