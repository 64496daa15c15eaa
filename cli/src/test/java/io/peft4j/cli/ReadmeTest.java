package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** README's commands, run as they stand there, in a directory that holds what they name. */
final class ReadmeTest {

    private static final Path README = Path.of("..", "README.md");
    private static final Pattern BLOCK = Pattern.compile("```sh\n(.*?)```", Pattern.DOTALL);
    private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|(\\S+)");

    /** The files that README's commands read or write, by the name they have there. */
    private static final List<String> FILES =
            List.of("model", "train.jsonl", "eval.jsonl", "adapter", "merged");

    @TempDir private Path directory;

    @Test
    void commandsOnAModelDirectoryRunInTheirOrder() throws IOException {
        prepare();
        List<List<String>> commands =
                commands().stream().filter(words -> !words.contains("compare")).toList();
        assertThat(commands).extracting(words -> words.get(0)).contains("train", "eval", "merge");
        for (List<String> words : commands) {
            CommandRun run = CommandRun.of(words.stream().map(this::located).toArray());
            assertThat(run.code()).as("%s%n%s", words, run.err()).isZero();
        }
        assertThat(directory.resolve("adapter/adapter_model.safetensors")).isNotEmptyFile();
        assertThat(directory.resolve("merged/model.safetensors")).isNotEmptyFile();
        assertThat(directory.resolve("merged/tokenizer.json")).isNotEmptyFile();
    }

    @Test
    void firstCommandIsTheComparisonWithoutFlagsAndTestsHaveOneCommand() throws IOException {
        assertThat(commands().get(0)).containsExactly("compare");
        assertThat(Files.readString(README)).contains("```sh\nmvn -B verify\n```");
    }

    private void prepare() throws IOException {
        Path model = Files.createDirectory(directory.resolve("model"));
        for (Map.Entry<String, List<String>> part :
                Map.of(
                                "golden/openelm/model",
                                List.of("config.json", "model.safetensors"),
                                "golden/tokenizer",
                                List.of("tokenizer.json", "tokenizer_config.json"))
                        .entrySet()) {
            for (String name : part.getValue()) {
                Files.copy(TestData.path(part.getKey()).resolve(name), model.resolve(name));
            }
        }
        String rows = "{\"prompt\": \"one\", \"completion\": \" two\"}\n{\"text\": \"three\"}\n";
        Files.writeString(directory.resolve("train.jsonl"), rows);
        Files.writeString(directory.resolve("eval.jsonl"), rows);
    }

    private String located(String word) {
        return FILES.contains(word) ? directory.resolve(word).toString() : word;
    }

    /** The words after {@code ./peft4j} of each command line in a shell block. */
    private static List<List<String>> commands() throws IOException {
        List<List<String>> commands = new ArrayList<>();
        Matcher block = BLOCK.matcher(Files.readString(README));
        while (block.find()) {
            for (String line : block.group(1).lines().toList()) {
                if (line.startsWith("./peft4j ")) {
                    List<String> words = new ArrayList<>();
                    Matcher word = WORD.matcher(line.substring("./peft4j ".length()));
                    while (word.find()) {
                        words.add(word.group(1) != null ? word.group(1) : word.group(2));
                    }
                    commands.add(words);
                }
            }
        }
        return commands;
    }
}
