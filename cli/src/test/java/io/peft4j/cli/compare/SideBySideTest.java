package io.peft4j.cli.compare;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

final class SideBySideTest {

    private static final OptionalLong GIGABYTE = OptionalLong.of(1_000_000_000);

    @Test
    void twoCoresGiveARunAtATime() {
        assertThat(SideBySide.chosen(4, 2, GIGABYTE, OptionalLong.of(64_000_000_000L)).runs())
                .isEqualTo(1);
    }

    @Test
    void coresAreShared() {
        SideBySide choice = SideBySide.chosen(9, 16, GIGABYTE, OptionalLong.of(64_000_000_000L));
        assertThat(choice.runs()).isEqualTo(8);
        assertThat(choice.threads()).isEqualTo(OptionalInt.of(2));
        choice = SideBySide.chosen(3, 16, GIGABYTE, OptionalLong.of(64_000_000_000L));
        assertThat(choice.runs()).isEqualTo(3);
        assertThat(choice.threads()).isEqualTo(OptionalInt.of(5));
    }

    @Test
    void noMoreThanFitIntoTheMemoryAtHand() {
        SideBySide choice = SideBySide.chosen(9, 16, GIGABYTE, OptionalLong.of(4_000_000_000L));
        assertThat(choice.runs()).isEqualTo(3);
        assertThat(choice.reason()).contains("memory");
        assertThat(SideBySide.chosen(9, 16, GIGABYTE, OptionalLong.of(1000)).runs()).isEqualTo(1);
    }

    @Test
    void whatCannotBeForetoldRunsAlone() {
        assertThat(SideBySide.chosen(9, 16, OptionalLong.empty(), GIGABYTE).runs()).isEqualTo(1);
    }

    @Test
    void aFlagIsFollowedUpToTheNumberOfRuns() {
        assertThat(SideBySide.given(8, 3, 2).runs()).isEqualTo(3);
        assertThat(SideBySide.given(2, 3, 2).threads()).isEqualTo(OptionalInt.of(1));
    }
}
