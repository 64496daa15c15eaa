package io.peft4j.site;

import static io.peft4j.site.Repository.ROOT;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * No page shows code that nobody runs. Java stands word for word in a source of the build, a test
 * or an example that a test calls; XML stands in the application under examples/standalone; a
 * command is run by {@link PageCommandsTest}, or by .ci/run. What cannot be has a comment above it
 * that its page's readers do not see: {@code <!-- not run: REASON -->}, or {@code <!-- run by:
 * SomeTest -->} where a page has a test of its own.
 */
final class PageCodeTest {

    /** Output, data and other text; PageCommandsTest writes the data to files and trains on it. */
    private static final Set<String> SHOWN_ONLY = Set.of("", "text", "json");

    private static List<CodeBlock> blocks() throws IOException {
        List<CodeBlock> blocks = new ArrayList<>();
        for (Page page : Page.all(ROOT)) {
            blocks.addAll(page.blocks());
        }
        return blocks;
    }

    private static boolean isTested(CodeBlock block, Sources sources) throws IOException {
        return switch (block.language()) {
            case "java" -> sources.contain(block.text());
            case "xml" ->
                    withoutMargin(Files.readString(ROOT.resolve("examples/standalone/pom.xml")))
                            .contains(withoutMargin(block.text()));
            case "sh" -> PageCommands.lines(block.text()).allMatch(PageCodeTest::isRun);
            default -> SHOWN_ONLY.contains(block.language());
        };
    }

    private static boolean isRun(String line) {
        return PageCommands.isRunnable(line) || PageCommands.isInCi(line);
    }

    private static String withoutMargin(String text) {
        return String.join("\n", text.lines().map(String::strip).toList());
    }

    @Test
    void everyBlockOfCodeIsTestedOrSaysWhyNot() throws IOException {
        Sources sources = Sources.of(ROOT);
        List<String> untested = new ArrayList<>();
        for (CodeBlock block : blocks()) {
            if (block.excuse().isEmpty()
                    && block.ownTest().isEmpty()
                    && !isTested(block, sources)) {
                untested.add(block + " (" + block.language() + ")");
            }
        }
        assertThat(untested)
                .as("blocks of code that are in no compiled source and that no test runs")
                .isEmpty();
    }

    @Test
    void whatJavaIsNotRunIsNotExcusable() throws IOException {
        for (CodeBlock block : blocks()) {
            if (block.language().equals("java")) {
                assertThat(block.excuse()).as(block.toString()).isEmpty();
            }
        }
    }

    @Test
    void aTestThatABlockNamesExists() throws IOException {
        for (CodeBlock block : blocks()) {
            if (block.ownTest().isPresent()) {
                String file = block.ownTest().get() + ".java";
                try (Stream<Path> found =
                        Files.find(ROOT, 12, (path, attributes) -> path.endsWith(file))) {
                    assertThat(found).as(block + " is run by " + file).isNotEmpty();
                }
            }
        }
    }

    @Test
    void codeThatIsNotThereIsFoundOut() throws IOException {
        Sources sources = Sources.of(ROOT);
        assertThat(sources.contain("    final class PageCodeTest {\n")).isTrue();
        assertThat(sources.contain("final class Page" + "CodeTests {\n")).isFalse();
        Page page =
                new Page(
                        Path.of("p.md"),
                        "# A\n\n<!-- not run: needs a GPU -->\n```sh\nrm x\n```\n\n```sh\nls\n```\n");
        assertThat(page.blocks()).extracting(CodeBlock::line).containsExactly(4, 8);
        assertThat(page.blocks().get(0).excuse()).hasValue("needs a GPU");
        assertThat(isTested(page.blocks().get(1), sources)).isFalse();
    }
}
