package io.peft4j.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class NearestNamesTest {

    private static final List<String> KNOWN = List.of("q_proj", "k_proj", "out_proj", "embed");

    @Test
    void theNearestComeFirst() {
        assertThat(NearestNames.of("q_prj", KNOWN, 2)).containsExactly("q_proj", "k_proj");
    }

    @Test
    void caseDoesNotCount() {
        assertThat(NearestNames.of("EMBED", KNOWN, 1)).containsExactly("embed");
    }

    @Test
    void nothingNearGivesNoHint() {
        assertThat(NearestNames.hint("zzzzzz", KNOWN)).isEmpty();
        assertThat(NearestNames.hint("qproj", KNOWN)).isEqualTo("; nearest: q_proj, k_proj");
    }

    @Test
    void distancesAreLevenshteins() {
        assertThat(NearestNames.distance("kitten", "sitting")).isEqualTo(3);
        assertThat(NearestNames.distance("", "abc")).isEqualTo(3);
        assertThat(NearestNames.distance("same", "same")).isZero();
    }
}
