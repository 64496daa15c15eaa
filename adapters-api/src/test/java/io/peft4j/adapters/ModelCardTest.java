package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

class ModelCardTest {

    private static final String BASE = "apple/OpenELM-270M";

    @TempDir Path directory;

    @BeforeEach
    void save() throws IOException {
        save(BASE, Map.of());
    }

    private void save(String base, Map<String, String> facts) throws IOException {
        PeftConfig config =
                PeftConfig.builder("LORA")
                        .opt("base_model_name_or_path", base)
                        .opt("task_type", "CAUSAL_LM")
                        .opt("r", 8)
                        .opt("lora_alpha", 16)
                        .opt("use_dora", true)
                        .opt("use_rslora", false)
                        .opt("target_modules", List.of("qkv_proj", "out_proj"))
                        .build();
        AdapterFiles.write(directory, config, Map.of(), new Provenance(facts));
    }

    private String card() throws IOException {
        assertThat(ModelCard.of(directory).write(directory)).isTrue();
        return Files.readString(directory.resolve("README.md"));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> frontMatter(String card) {
        assertThat(card).startsWith("---\n");
        String yaml = card.substring(4, card.indexOf("\n---\n"));
        return (Map<String, Object>) new Load(LoadSettings.builder().build()).loadFromString(yaml);
    }

    @Test
    void theFrontMatterHasPeftsKeys() throws IOException {
        save(BASE, Map.of("adapter.method", "dora", "training.kind", "sft"));
        assertThat(frontMatter(card()))
                .isEqualTo(
                        Map.of(
                                "base_model",
                                BASE,
                                "library_name",
                                "peft",
                                "pipeline_tag",
                                "text-generation",
                                "tags",
                                List.of(
                                        "base_model:adapter:" + BASE,
                                        "dora",
                                        "lora",
                                        "peft4j",
                                        "sft")));
    }

    @Test
    void aLicenceIsThereIfItIsKnown() throws IOException {
        save(BASE, Map.of("license", "apache-2.0"));
        assertThat(frontMatter(card())).containsEntry("license", "apache-2.0");
    }

    @Test
    void theTablesTellSettingsTrainingDataAndOrigin() throws IOException {
        save(
                BASE,
                Map.of(
                        "created", "2026-01-31T12:00:00Z",
                        "training.steps", "60",
                        "training.held_out_loss", "1.5",
                        "training.held_out_reward", "0.875",
                        "training.learning_rate", "0.005",
                        "training.data_rows", "312",
                        "training.data_file", "rows.jsonl",
                        "team.name", "search"));
        assertThat(card())
                .contains(
                        "# Adapter for `apple/OpenELM-270M`",
                        "[`apple/OpenELM-270M`](https://huggingface.co/apple/OpenELM-270M)",
                        "| `r` | `8` |\n| `target_modules` | `qkv_proj, out_proj` |\n"
                                + "| `use_dora` | `true` |\n\n",
                        "| optimizer steps | `60` |\n| held-out loss | `1.5` |\n"
                                + "| held-out reward | `0.875` |\n",
                        "| file | `rows.jsonl` |\n| rows | `312` |\n",
                        "## Training settings\n\n| | |\n|---|---|\n| `learning_rate` | `0.005` |\n",
                        "| `created` | `2026-01-31T12:00:00Z` |\n| `team.name` | `search` |\n")
                .doesNotContain("use_rslora", "| `adapter_model.sha256`");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a: \"b\" #c",
                "# no comment",
                "- item",
                "C:\\users\\new",
                "*bold* [link](x) <b>tag</b> | cell | `code` ``more``",
                "`",
                "yes",
                "null",
                "123",
                "'quoted'",
                "{a: b}, [c]",
                "@at & *alias !tag %directive",
                "Übung 模型 \uD83D\uDE00 \uFEFF",
                " spaces ",
                "%s %d"
            })
    void namesStandAsTheyAreInYamlAndMarkdown(String name) throws IOException {
        save(name, Map.of("training.data_file", name));
        String card = card();
        assertThat(frontMatter(card)).containsEntry("base_model", name);
        assertThat(cell(card, "| file | ")).isEqualTo(name);
        assertThat(card).contains("A `dora` adapter in the format of");
    }

    /** Reads a code span in a table as CommonMark and GitHub's tables define them. */
    private static String cell(String card, String before) {
        String row = card.substring(card.indexOf(before) + before.length());
        row = row.substring(0, row.indexOf('\n'));
        assertThat(row.replace("\\|", "").chars().filter(c -> c == '|').count()).isEqualTo(1);
        String span = row.substring(0, row.length() - " |".length()).replace("\\|", "|");
        int fence = 0;
        while (span.charAt(fence) == '`') {
            fence++;
        }
        String content = span.substring(fence, span.length() - fence);
        assertThat(span).endsWith("`".repeat(fence));
        assertThat(content).doesNotContainPattern("(?<!`)`{" + fence + "}(?!`)");
        boolean padded = content.startsWith(" ") && content.endsWith(" ") && !content.isBlank();
        return padded ? content.substring(1, content.length() - 1) : content;
    }

    @Test
    void whatTurnsALineAroundIsReplaced() throws IOException {
        save("a\nb\u202ec\u001b[2J", Map.of());
        String card = card();
        assertThat(frontMatter(card)).containsEntry("base_model", "a?b?c?[2J");
        assertThat(card).doesNotContain("\u202e", "\u001b");
    }

    @Test
    void aPathIsNamedAsPeftDoesItWithAWordOnTheHub() throws IOException {
        save(directory.toString(), Map.of());
        String card = card();
        assertThat(frontMatter(card)).containsEntry("base_model", directory.toString());
        assertThat(card).contains("# a path where it was made").doesNotContain("huggingface.co/");
    }

    @Test
    void aRevisionIsNoPartOfTheRepository() throws IOException {
        save(BASE + "@main", Map.of());
        String card = card();
        assertThat(frontMatter(card)).containsEntry("base_model", BASE);
        assertThat(card)
                .contains("from_pretrained(\"apple/OpenELM-270M\", revision=\"main\")")
                .contains("fetchModel(\"apple/OpenELM-270M@main\")");
    }

    @Test
    void aCardIsReplacedUntilItIsEdited() throws IOException {
        String first = card();
        save(BASE, Map.of("team", "search"));
        String second = card();
        assertThat(second).isNotEqualTo(first).contains("search");
        Path file = directory.resolve("README.md");
        Files.writeString(file, second.replace("\n", "\r\n")); // git on Windows edits nothing
        String third = card();
        assertThat(third).isEqualTo(second);
        String edited = third.replace("## Settings", "## My settings");
        Files.writeString(file, edited);
        assertThat(ModelCard.of(directory).write(directory)).isFalse();
        assertThat(file).hasContent(edited);
    }

    @Test
    void aReadmeOfTheUsersIsKept() throws IOException {
        Path file = directory.resolve("README.md");
        for (byte[] own :
                new byte[][] {{}, "# Mine\n".getBytes(), {(byte) 0xff, (byte) 0xfe, 'x'}}) {
            Files.write(file, own);
            assertThat(ModelCard.of(directory).write(directory)).isFalse();
            assertThat(file).hasBinaryContent(own);
        }
        Files.writeString(file, "");
        String written = ModelCard.of(directory).text();
        Files.writeString(file, written + "and a line below\n");
        assertThat(ModelCard.of(directory).write(directory)).isFalse();
    }

    @Test
    void neitherALinkNorADirectoryIsTouched() throws IOException {
        Path file = directory.resolve("README.md");
        Path elsewhere = Files.writeString(directory.resolve("elsewhere.md"), "");
        Files.createSymbolicLink(file, elsewhere);
        assertThat(ModelCard.of(directory).write(directory)).isFalse();
        assertThat(file).isSymbolicLink();
        Files.delete(file);
        Files.createDirectory(file);
        assertThat(ModelCard.of(directory).write(directory)).isFalse();
    }

    @Test
    void aProvenanceOfOtherFilesTellsNothing() throws IOException {
        save(BASE, Map.of("training.steps", "60"));
        Path config = directory.resolve("adapter_config.json");
        Files.writeString(config, Files.readString(config) + "\n");
        assertThat(ModelCard.of(directory).text()).doesNotContain("optimizer steps");
    }

    @Test
    void whereTheTaskIsUnknownTheCardPromisesNoLanguageModel() throws IOException {
        AdapterFiles.write(
                directory, PeftConfig.builder("IA3").build(), Map.of(), new Provenance(Map.of()));
        String card = card();
        assertThat(frontMatter(card)).containsOnlyKeys("library_name", "tags");
        assertThat(card).contains("Adapters.load(model, Path.of(").doesNotContain("CausalLm");
    }
}
