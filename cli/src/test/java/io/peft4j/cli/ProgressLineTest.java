package io.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class ProgressLineTest {

    private static final List<String> NOTES =
            List.of("left 0:15", "loss 1.6627", "1,512 tok/s", "1.24 GB");

    @Test
    void aTerminalOfEightyColumnsShowsAll() {
        assertThat(new ProgressLine("train", 27, 60, NOTES).fit(79))
                .hasSize(79)
                .isEqualTo(
                        "train  45% [======>       ] 27/60  left 0:15  loss 1.6627  1,512 tok/s"
                                + "  1.24 GB");
    }

    @Test
    void aNarrowOneLosesTheLeastImportantFirst() {
        ProgressLine line = new ProgressLine("train", 27, 60, NOTES);
        assertThat(line.fit(68)).hasSize(68).contains("1,512 tok/s").doesNotContain("GB");
        assertThat(line.fit(45)).hasSize(45).endsWith("27/60  left 0:15");
        assertThat(line.fit(12)).isEqualTo("train 27/60 ");
        assertThat(line.fit(5)).isEqualTo("train");
    }

    @Test
    void beginAndEndAreAnEmptyAndAFullBar() {
        assertThat(new ProgressLine("a", 0, 9, List.of()).fit(26))
                .isEqualTo("a   0% [>            ] 0/9");
        assertThat(new ProgressLine("a", 9, 9, List.of()).fit(26))
                .isEqualTo("a 100% [=============] 9/9");
        assertThat(new ProgressLine("a", 0, 0, List.of()).fit(26)).hasSize(26);
    }

    @Test
    void timesHaveHoursOnlyWhereThereAreSome() {
        assertThat(ProgressLine.time(75)).isEqualTo("1:15");
        assertThat(ProgressLine.time(3 * 3600 + 65)).isEqualTo("3:01:05");
    }
}
