package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What native code would answer with an obscure message, or with a crash, is refused before. */
class InvalidTokensTest {

    private static CausalLm model;
    private static NDManager manager;

    @BeforeAll
    static void open() {
        model = Golden.load();
        manager = NDManager.newBaseManager();
    }

    @AfterAll
    static void close() {
        manager.close();
        model.close();
    }

    private static NDArray tokens(long... values) {
        return manager.create(values, new Shape(2, values.length / 2));
    }

    private static void assertRefused(ThrowingCallable call, String message) {
        assertThatThrownBy(call)
                .isInstanceOf(InvalidTokensException.class)
                .hasMessageContaining(message);
    }

    @Test
    void idsOutsideTheVocabularyAreNamedWithTheirPlace() {
        NDArray high = tokens(1, 2, 3, 264);
        String message = "expected token ids from 0 to 263, found 264 in row 1, position 1";
        assertRefused(() -> model.logits(manager, high, null), message);
        assertRefused(() -> model.rowLosses(high, tokens(1, 2, 3, 4)), message);
        assertRefused(() -> model.backward(high, tokens(1, 2, 3, 4), 1), message);
        assertRefused(
                () ->
                        model.block()
                                .forward(
                                        new ParameterStore(manager, false),
                                        new NDList(high),
                                        false),
                message);
        assertRefused(
                () -> model.logits(manager, tokens(1, -1, 3, 4), null),
                "found -1 in row 0, position 1");
    }

    @Test
    void labelsOutsideTheVocabularyAreNamedWithTheirPlace() {
        assertRefused(
                () -> model.rowLosses(tokens(1, 2, 3, 4), tokens(1, -100, 3, -1)),
                "expected labels from 0 to 263 or -100, found -1 in row 1, position 1");
        assertRefused(
                () -> model.backward(tokens(1, 2, 3, 4), tokens(1, 264, 3, 4), 1),
                "found 264 in row 0, position 1");
    }

    @Test
    void rowsBeyondTheContextAreRefused() {
        NDArray longest = manager.zeros(new Shape(1, 64), DataType.INT64);
        assertThat(model.logits(manager, longest, null).getShape())
                .isEqualTo(new Shape(1, 64, 264));
        NDArray longer = manager.zeros(new Shape(1, 65), DataType.INT64);
        assertRefused(
                () -> model.logits(manager, longer, null),
                "expected at most 64 tokens, the model's context, found 65");
    }

    @Test
    void otherShapesAndTypesAreRefused() {
        assertRefused(
                () -> model.logits(manager, manager.create(new long[] {1, 2}), null),
                "expected token ids as int64 (batch, tokens), found int64 (2)");
        assertRefused(
                () -> model.logits(manager, tokens(1, 2).toType(DataType.INT32, false), null),
                "found int32 (2, 1)");
        assertRefused(
                () -> model.logits(manager, manager.create(new Shape(2, 0), DataType.INT64), null),
                "expected at least one token in token ids");
        assertRefused(
                () -> model.rowLosses(tokens(1, 2, 3, 4), tokens(1, 2)),
                "expected labels of the ids' shape (2, 2), found (2, 1)");
        assertRefused(
                () -> model.logits(manager, tokens(1, 2, 3, 4), tokens(1, 1)),
                "expected an attention mask of the ids' shape (2, 2), found (2, 1)");
    }
}
