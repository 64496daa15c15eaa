package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import jdk.jshell.DeclarationSnippet;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import jdk.jshell.SnippetEvent;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.SourceCodeAnalysis.CompletionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The notebooks as they are committed; {@code notebooks/run} executes them. */
class NotebooksTest {

    private static final Pattern MACHINE =
            Pattern.compile(
                    "(?<![\\w.])/(home|root|Users|tmp|var|work|opt|private)/"
                            + "|\\b[A-Z]:\\\\\\\\|file:/");

    /** As the kernel's init script has them. */
    private static final List<String> PREDECLARED =
            List.of(
                    "import java.util.*;",
                    "import java.io.*;",
                    "import java.math.*;",
                    "import java.net.*;",
                    "import java.util.concurrent.*;",
                    "import java.util.regex.*;",
                    "String display(Object shown) { return \"\"; }",
                    "String display(String mime, Object shown) { return \"\"; }");

    static List<Notebook> notebooks() throws IOException {
        return Notebook.all();
    }

    @Test
    void thereAreFour() throws IOException {
        assertThat(Notebook.all())
                .extracting(Notebook::toString)
                .containsExactly(
                        "first-adapter.ipynb",
                        "hosted-encoder.ipynb",
                        "lora-and-dora.ipynb",
                        "several-adapters.ipynb");
    }

    @ParameterizedTest
    @MethodSource("notebooks")
    void everyCellWasRunOnceInOrderWithoutAnError(Notebook notebook) {
        List<Notebook.Code> code = notebook.code();
        for (int i = 0; i < code.size(); i++) {
            assertThat(code.get(i).executionCount().getAsInt())
                    .as("execution count of\n%s", code.get(i).source())
                    .isEqualTo(i + 1);
            for (JsonObject output : code.get(i).outputs()) {
                assertThat(output.get("output_type").getAsString()).isNotEqualTo("error");
                assertThat(output.has("name") && output.get("name").getAsString().equals("stderr"))
                        .as("written to stderr: %s", output)
                        .isFalse();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("notebooks")
    void eachShowsAPictureAndEndsWithItsResult(Notebook notebook) throws IOException {
        assertThat(notebook.images()).isNotEmpty();
        for (String image : notebook.images()) {
            byte[] png = Base64.getMimeDecoder().decode(image);
            BufferedImage picture = ImageIO.read(new ByteArrayInputStream(png));
            assertThat(picture.getWidth()).isBetween(500, 1100);
        }
        assertThat(notebook.lastText()).startsWith("## Result\n\n").hasSizeGreaterThan(100);
    }

    @ParameterizedTest
    @MethodSource("notebooks")
    void nothingTellsOfTheMachineThatRanIt(Notebook notebook) throws IOException {
        String text = Files.readString(notebook.file());
        assertThat(text).doesNotContainPattern(MACHINE).doesNotContain("iopub", "\"execution\"");
        assertThat(text).hasSizeLessThan(500_000);
        JsonObject kernel =
                notebook.json().getAsJsonObject("metadata").getAsJsonObject("kernelspec");
        assertThat(kernel.get("name").getAsString()).isEqualTo("peft4j");
    }

    @ParameterizedTest
    @MethodSource("notebooks")
    void theCodeCompilesAgainstTheLibrary(Notebook notebook) {
        try (JShell shell = JShell.builder().executionEngine(new CompileOnly(), null).build()) {
            for (String entry :
                    System.getProperty("java.class.path")
                            .split(Pattern.quote(System.getProperty("path.separator")))) {
                shell.addToClasspath(entry);
            }
            List<String> wrong = new ArrayList<>();
            PREDECLARED.forEach(source -> compile(shell, source, wrong));
            notebook.code().forEach(cell -> compile(shell, cell.source(), wrong));
            assertThat(wrong).isEmpty();
        }
    }

    private static void compile(JShell shell, String cell, List<String> wrong) {
        SourceCodeAnalysis analysis = shell.sourceCodeAnalysis();
        CompletionInfo next = analysis.analyzeCompletion(cell);
        while (next.completeness().isComplete()) {
            for (SnippetEvent event : shell.eval(next.source())) {
                // as the kernel has it: what a later cell would have to declare is an error
                if (event.causeSnippet() == null && !event.status().isDefined()) {
                    wrong.add(reason(shell, event.snippet()) + " in\n" + event.snippet().source());
                }
            }
            next = analysis.analyzeCompletion(next.remaining());
        }
        if (next.completeness() != SourceCodeAnalysis.Completeness.EMPTY) {
            wrong.add("incomplete: " + next.remaining());
        }
    }

    private static String reason(JShell shell, Snippet snippet) {
        Stream<String> errors = shell.diagnostics(snippet).map(problem -> problem.getMessage(null));
        Stream<String> missing =
                snippet instanceof DeclarationSnippet declaration
                        ? shell.unresolvedDependencies(declaration)
                        : Stream.of();
        return Stream.concat(errors, missing).collect(Collectors.joining("; "));
    }
}
