package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptedModel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Scores of tokens that need not stand in the batch. */
class NextTokenScoresTest {

    private static final int ROWS = 3;
    private static final int COLUMNS = 7;

    // the end of a row, twice one place, and the beginning
    private static final long[] PLACES = {6, 9, 9, 14, 20, 6};
    private static final long[] TOKENS = {5, 0, 11, 3, 7, 5};

    @ParameterizedTest
    @CsvSource({"llama,lora", "openelm,dora", "phi3,lora", "mixtral,lora"})
    void eachIsWhatTheLogitsOfItsPlaceSay(String family, String method) {
        try (CausalLm model = TinyModels.model(family);
                AdaptedModel adapted = TinyAdapters.attach(model, method, 0, "all-linear");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope, 4, ROWS, COLUMNS);
            NDArray expected = model.logits(scope, ids, null).logSoftmax(2);
            for (boolean byKernels : new boolean[] {false, true}) {
                model.useLayerKernels(byKernels);
                int before = model.manager().getManagedArrays().size();
                TokenScores scores = model.nextTokenScores(ids, PLACES, TOKENS);
                assertThat(model.manager().getManagedArrays()).hasSize(before);
                assertThat(scores.count()).isEqualTo(PLACES.length);
                for (int i = 0; i < PLACES.length; i++) {
                    long row = PLACES[i] / COLUMNS;
                    float wanted = expected.getFloat(row, PLACES[i] % COLUMNS, TOKENS[i]);
                    assertThat(scores.rowOf(i)).isEqualTo((int) row);
                    assertThat(scores.logProbability(i)).isCloseTo(wanted, within(1e-4f));
                }
            }
        }
    }

    @Test
    void placesAndTokensOutsideAreRefused() {
        try (CausalLm model = TinyModels.model("llama");
                NDManager scope = NDManager.newBaseManager()) {
            NDArray ids = TinyModels.ids(scope, 4, ROWS, COLUMNS);
            assertThatThrownBy(() -> model.nextTokenScores(ids, new long[] {21}, new long[] {0}))
                    .isInstanceOf(InvalidTokensException.class)
                    .hasMessage("expected places from 0 to 20 in ids (3, 7), found 21");
            assertThatThrownBy(() -> model.nextTokenScores(ids, new long[] {2}, new long[] {-1}))
                    .isInstanceOf(InvalidTokensException.class)
                    .hasMessageStartingWith("expected tokens from 0 to ");
            assertThatThrownBy(() -> model.nextTokenScores(ids, new long[] {2}, new long[0]))
                    .isInstanceOf(InvalidTokensException.class)
                    .hasMessageContaining("found 1 places and 0 tokens");
        }
    }
}
