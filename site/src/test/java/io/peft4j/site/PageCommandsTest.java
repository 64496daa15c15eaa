package io.peft4j.site;

import static io.peft4j.site.Repository.ROOT;
import static org.assertj.core.api.Assertions.assertThat;

import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The commands of each page run in their order, in a directory that holds what the page presumes.
 */
final class PageCommandsTest {

    /** What the pages' words stand for; directories whose names differ by a blank are joined. */
    private static final Map<String, Map<String, String>> PRESUMED =
            Map.of(
                    "docs/fine-tuning.md",
                    Map.of("model", "golden/openelm/model", "model ", "golden/tokenizer"),
                    "docs/serving.md",
                    Map.of(
                            "model",
                            "golden/llama3/model",
                            "adapter",
                            "golden/serving/patterns",
                            "dora",
                            "golden/serving/dora"),
                    "docs/models.md",
                    Map.of(
                            "mixtral",
                            "golden/experts/model",
                            "adapter",
                            "golden/experts/single_plain"));

    @TempDir private Path directory;

    static List<Page> pagesWithCommands() throws IOException {
        return Page.all(ROOT).stream().filter(page -> !commands(page).isEmpty()).toList();
    }

    private static List<String> commands(Page page) {
        return page.blocks().stream()
                .filter(block -> block.language().equals("sh"))
                .filter(block -> block.excuse().isEmpty() && block.ownTest().isEmpty())
                .flatMap(block -> PageCommands.lines(block.text()))
                .filter(PageCommands::isRunnable)
                .toList();
    }

    @ParameterizedTest
    @MethodSource("pagesWithCommands")
    void everyCommandOfAPageRunsAsItStandsThere(Page page) throws IOException {
        String name = page.path().toString().replace('\\', '/');
        assertThat(PRESUMED).as("what the commands of " + name + " presume").containsKey(name);
        for (Map.Entry<String, String> entry : PRESUMED.get(name).entrySet()) {
            copy(TestData.path(entry.getValue()), directory.resolve(entry.getKey().strip()));
        }
        data(page);
        PageCommands commands = new PageCommands(directory);
        for (String line : commands(page)) {
            commands.run(line);
        }
    }

    /** The rows that the page shows become its training data. */
    private void data(Page page) throws IOException {
        List<String> rows = new ArrayList<>();
        for (CodeBlock block : page.blocks()) {
            if (block.language().equals("json")) {
                rows.addAll(block.text().lines().toList());
            }
        }
        if (rows.isEmpty()) {
            rows.add("{\"prompt\": \"one\", \"completion\": \" two\"}");
        }
        String text = String.join("\n", rows) + "\n";
        Files.writeString(directory.resolve("train.jsonl"), text);
        Files.writeString(directory.resolve("eval.jsonl"), text);
    }

    private static void copy(Path source, Path target) throws IOException {
        try (Stream<Path> walk = Files.walk(source)) {
            for (Path file : (Iterable<Path>) walk::iterator) {
                Path to = target.resolve(source.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(to);
                } else if (!Files.exists(to)) {
                    Files.copy(file, to);
                }
            }
        }
    }
}
