package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonParser;
import io.peft4j.tuning.online.Completion;
import io.peft4j.tuning.online.Prompt;
import io.peft4j.tuning.online.Reward;
import io.peft4j.tuning.online.RewardException;
import io.peft4j.tuning.online.RewardFunction;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;
import picocli.CommandLine.Mixin;

/** {@code --reward}: built-ins, classes and source files. */
final class RewardOptionsTest {

    @TempDir private Path directory;

    /** A class on the class path. */
    public static final class Shortest implements RewardFunction {
        @Override
        public double[] rewards(List<Completion> completions) {
            return completions.stream().mapToDouble(one -> -one.text().length()).toArray();
        }
    }

    /** One that cannot be made. */
    static final class Broken implements RewardFunction {

        Broken() {
            throw new IllegalStateException("no dictionary");
        }

        @Override
        public double[] rewards(List<Completion> completions) {
            return new double[completions.size()];
        }
    }

    @CommandLine.Command
    private static final class Flags {
        @Mixin private RewardOptions options;
    }

    private static RewardOptions parse(String... values) {
        Flags flags = new Flags();
        String[] args = new String[values.length * 2];
        for (int i = 0; i < values.length; i++) {
            args[2 * i] = "--reward";
            args[2 * i + 1] = values[i];
        }
        CommandLine.ParseResult unused = new CommandLine(flags).parseArgs(args);
        flags.options.check();
        return flags.options;
    }

    private static Completion answer(String text) {
        return new Completion(prompt(), new long[] {1, 2, 3}, text, true);
    }

    private static Prompt prompt() {
        return new Prompt(
                new long[] {1},
                "6*7?",
                JsonParser.parseString("{\"prompt\": \"6*7?\", \"answer\": \"42\"}")
                        .getAsJsonObject());
    }

    private Path source(String name, String text) throws IOException {
        return Files.writeString(directory.resolve(name + ".java"), text);
    }

    private static String classText(String name, String body) {
        return "import io.peft4j.tuning.online.Completion;\n"
                + "import io.peft4j.tuning.online.RewardFunction;\n"
                + "import java.util.List;\n"
                + ("class " + name + " implements RewardFunction {\n")
                + "  public double[] rewards(List<Completion> completions) {\n"
                + ("    " + body + "\n")
                + "  }\n"
                + "}\n";
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    final_answer                | final_answer     | 1    | 1
                    final_answer=0.5            | final_answer     | 0.5  | 1
                    exact_match=2               | exact_match      | 2    | 0
                    calculator_marks=-1e-1      | calculator_marks | -0.1 | 1
                    regex:x = 3                 | regex            | 1    | 0
                    regex:6\\*7=42=3            | regex            | 3    | 1
                    regex:a=b                   | regex            | 1    | 0
                    regex:a=b=.5                | regex            | 0.5  | 0
                    overlong:4,2                | overlong         | 1    | -0.5
                    """)
    void namesABuiltIn(String flag, String name, double weight, double reward) {
        Reward parsed = parse(flag).judges(List.of(prompt())).get(0);
        assertThat(parsed.name()).isEqualTo(name);
        assertThat(parsed.weight()).isEqualTo(weight);
        assertThat(parsed.of(List.of(answer("<<6*7=42>>42")))).containsExactly(reward);
    }

    @Test
    void namesAClass() {
        List<Reward> rewards = parse(Shortest.class.getName() + "=0.1").judges(List.of(prompt()));
        assertThat(rewards.get(0).name()).isEqualTo("Shortest");
        assertThat(rewards.get(0).weight()).isEqualTo(0.1);
        assertThat(rewards.get(0).of(List.of(answer("four")))).containsExactly(-4);
    }

    @Test
    void namesASourceFileThatIsCompiledInMemory() throws IOException {
        Path file =
                source(
                        "Loud",
                        classText(
                                "Loud",
                                "return completions.stream().mapToDouble(c ->"
                                        + " new Inner().of(c.text())).toArray(); }\n"
                                        + "  static class Inner { double of(String text) {"
                                        + " return text.endsWith(\"!\") ? 1 : 0; }"));
        Reward reward = parse(file + "=2").judges(List.of(prompt())).get(0);
        assertThat(reward.name()).isEqualTo("Loud");
        assertThat(reward.weight()).isEqualTo(2);
        assertThat(reward.of(List.of(answer("42!"), answer("42")))).containsExactly(1, 0);
        assertThat(directory.toFile().list()).containsExactly("Loud.java");
        String settings = reward.function().settings();
        Files.writeString(file, Files.readString(file) + "// another text\n");
        assertThat(parse(file.toString()).judges(List.of()).get(0).function().settings())
                .isNotEqualTo(settings)
                .hasSameSizeAs(settings);
    }

    @Test
    void theGuidesExampleIsARewardOfItsOwn() {
        Path example =
                Path.of("..", "examples/src/main/java/io/peft4j/examples", "BriefAnswer.java");
        Reward reward = parse(example + "=0.5").judges(List.of(prompt())).get(0);
        assertThat(reward.name()).isEqualTo("BriefAnswer");
        assertThat(reward.of(List.of(answer("42")))).containsExactly(-0.03);
    }

    @Test
    void aSourceFileMayHaveAPackage() throws IOException {
        Path file =
                source(
                        "Constant",
                        "package my.rewards;\n"
                                + classText("Constant", "return new double[completions.size()];"));
        assertThat(parse(file.toString()).judges(List.of()).get(0).of(List.of(answer("4"))))
                .containsExactly(0);
    }

    @Test
    void thoseOfOneNameAreToldApart() {
        assertThat(parse("regex:a", "final_answer", "regex:b").judges(List.of()))
                .extracting(Reward::name)
                .containsExactly("regex", "final_answer", "regex_2");
    }

    @Test
    void aPromptWithoutAnAnswerIsRefusedBeforeAnythingIsSampled() {
        Prompt other =
                new Prompt(
                        new long[] {1},
                        "?",
                        JsonParser.parseString("{\"prompt\": \"?\"}").getAsJsonObject());
        RewardOptions options = parse("final_answer");
        assertThatThrownBy(() -> options.judges(List.of(prompt(), other)))
                .isInstanceOf(RewardException.class)
                .hasMessageContaining(
                        "for final_answer, in a row that has the keys [prompt]: \"?\"");
    }

    @Test
    void theCompilersMessagesAreTold() throws IOException {
        Path file = source("Wrong", classText("Wrong", "return completions.sizes();"));
        assertThatThrownBy(() -> parse(file.toString()))
                .isInstanceOf(UsageException.class)
                .hasMessageStartingWith("--reward " + file + " does not compile: line 6: cannot")
                .hasMessageContaining("find symbol")
                .hasMessageContaining("method sizes()");
    }

    @Test
    void aClassOfAnotherNameIsRefused() throws IOException {
        Path file = source("Mine", classText("Other", "return new double[completions.size()];"));
        assertThatThrownBy(() -> parse(file.toString()))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining(
                        "expected a class Mine, as the file is called, found [Other]");
    }

    @Test
    void aJavaWithoutCompilerSaysSo() throws IOException {
        Path file = source("Mine", classText("Mine", "return new double[completions.size()];"));
        assertThatThrownBy(() -> RewardSource.compile(file, null))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("this Java has no compiler; start peft4j with a JDK");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    right                   | --reward: expected one of final_answer, exact_match, calculator_marks, regex:PATTERN, overlong:MOST,MARGIN
                    not a class             | or a file NAME.java, found "not a class"
                    final_answer=much       | --reward final_answer=much: expected a number as the weight, found "much"
                    final_answer=1e999      | expected a finite weight, found Infinity
                    regex:(                 | --reward regex: Unclosed group at character 1 of (
                    overlong:4              | --reward overlong: expected two whole numbers, MOST,MARGIN, found "4"
                    overlong:4,5            | --reward overlong: expected a length above 0 and a margin from 0 to it, found 4 and 5
                    java.lang.String        | expected a class that implements io.peft4j.tuning.online.RewardFunction, found java.lang.String
                    io.peft4j.tuning.online.judges.PatternMatch     | expected a class with a constructor without parameters
                    io.peft4j.tuning.online.RewardFunction   | expected a class with a constructor without parameters
                    io.peft4j.cli.RewardOptionsTest$Broken   | failed: java.lang.IllegalStateException: no dictionary
                    missing/Mine.java       | --reward: no such file: missing/Mine.java
                    """)
    void aWrongRewardIsRefused(String flag, String message) {
        assertThatThrownBy(() -> parse(flag))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining(message);
    }

    @Test
    void oneIsNeeded() {
        assertThatThrownBy(() -> parse())
                .isInstanceOf(UsageException.class)
                .hasMessageStartingWith("Missing required option: '--reward=NAME[=WEIGHT]' or ");
    }
}
