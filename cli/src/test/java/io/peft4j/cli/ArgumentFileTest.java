package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ArgumentFileTest {

    @TempDir private Path directory;

    private String at(String text) throws IOException {
        return "@" + Files.writeString(directory.resolve("recipe.args"), text);
    }

    @Test
    void argumentsAreSeparatedByWhiteSpaceAndMayBeQuotedOrCommented() throws IOException {
        String file = at("# a recipe\n--rank 8\t--prompt \"two  words\" # why\n\n--x=a#b \"\"\n");
        assertThat(ArgumentFile.expand("train", file, "--output", "out"))
                .containsExactly(
                        "train",
                        "--rank",
                        "8",
                        "--prompt",
                        "two  words",
                        "--x=a#b",
                        "",
                        "--output",
                        "out");
    }

    @Test
    void aFlagOnTheCommandLineTakesThePlaceOfTheFiles() throws IOException {
        String file = at("--ranks 8,16 --resume --seed=1 --targets a --targets b --alpha 2");
        assertThat(
                        ArgumentFile.expand(
                                "compare", file, "--ranks=4", "--targets", "c", "--seed", "3"))
                .containsExactly(
                        "compare",
                        "--resume",
                        "--alpha",
                        "2",
                        "--ranks=4",
                        "--targets",
                        "c",
                        "--seed",
                        "3");
    }

    @Test
    void onlyWhatFollowsTheCommandIsAFile() {
        String[] args = {"generate", "--prompt", "@nobody"};
        assertThat(ArgumentFile.expand(args)).isSameAs(args);
    }

    @Test
    void aFileThatCannotBeUsedIsRefusedInOneLine() throws IOException {
        CommandRun missing = CommandRun.of("eval", "@" + directory.resolve("none"));
        assertThat(missing.code()).isEqualTo(2);
        assertThat(missing.err()).startsWith("peft4j: @: no such file: ").hasLineCount(1);
        String open = at("--rank 8\n--prompt \"a\n");
        assertThatThrownBy(() -> ArgumentFile.expand("train", open))
                .isInstanceOf(UsageException.class)
                .hasMessageEndingWith("recipe.args:2: expected a second \", found the line's end");
    }
}
