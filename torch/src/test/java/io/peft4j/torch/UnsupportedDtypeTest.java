package io.peft4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What ends the process in DJL, through our own calls: a crash here fails the build. */
class UnsupportedDtypeTest {

    private static final String LACKING = "BFLOAT16|UNKNOWN|STRING|INT16|UINT16|UINT32|UINT64";

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.MATCH_NONE, names = LACKING)
    void whatIsCalledUsableCanBeMadeAndConvertedTo(DataType type) {
        try (NDManager manager = NDManager.newBaseManager()) {
            DataType usable = BFloat16.requireUsable("test", type);
            assertThat(usable).isSameAs(type);
            assertThat(manager.create(new Shape(2), usable).getShape()).isEqualTo(new Shape(2));
            assertThat(manager.ones(new Shape(2)).toType(usable, true).getDataType())
                    .isSameAs(type);
        }
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.MATCH_ANY, names = LACKING)
    void theTypesThatTheEngineLacksAreRefused(DataType type) {
        assertThatThrownBy(() -> BFloat16.requireUsable("Decoder.initialize", type))
                .isInstanceOf(UnsupportedDtypeException.class)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "Decoder.initialize: expected a DataType that the PyTorch engine has, one"
                                + " of [FLOAT32, FLOAT64, FLOAT16, ")
                .hasMessageContaining("found " + type.name());
    }

    @Test
    void theRemedyForBfloat16IsNamed() {
        assertThatThrownBy(() -> BFloat16.requireUsable("x", DataType.BFLOAT16))
                .hasMessageEndingWith("found BFLOAT16; use BFloat16.of(...) to store bfloat16");
        try (NDManager manager = NDManager.newBaseManager()) {
            DataType reported = BFloat16.zeros(manager, new Shape(1)).getDataType();
            assertThatThrownBy(() -> BFloat16.requireUsable("x", reported))
                    .hasMessageEndingWith(
                            "found UNKNOWN, the type that a bfloat16 array reports; use"
                                    + " BFloat16.of(...) to store bfloat16");
        }
    }

    @Test
    void backwardFromABfloat16LossReachesABfloat16Leaf() {
        try (NDManager manager = NDManager.newBaseManager();
                GradMode on = GradMode.enabled()) {
            NDArray leaf = BFloat16.of(manager, manager.create(new float[] {3}));
            leaf.setRequiresGradient(true);
            Gradients.backward(leaf.mul(leaf));
            NDArray gradient = leaf.getGradient();
            assertThat(BFloat16.toFloat32(manager, gradient).toFloatArray()).containsExactly(6);
            NDArray upstream = BFloat16.of(manager, manager.create(new float[] {2}));
            Gradients.backward(leaf.mul(leaf), upstream);
            assertThat(BFloat16.toFloat32(manager, gradient).toFloatArray()).containsExactly(18);
            Gradients.zero(leaf);
            assertThat(BFloat16.bits(gradient)).containsExactly((short) 0);
        }
    }

    @Test
    void wrongUseOfABfloat16ArrayIsAnExceptionNotTheEnd() {
        try (NDManager manager = NDManager.newBaseManager();
                GradMode on = GradMode.enabled()) {
            NDArray array = BFloat16.zeros(manager, new Shape(2));
            array.setRequiresGradient(true);
            Gradients.zero(array); // no gradient yet
            NDArray wrongShape = BFloat16.zeros(manager, new Shape(3));
            assertThatThrownBy(() -> Gradients.backward(array.mul(array), wrongShape))
                    .hasMessageContaining("invalid gradient");
            assertThatThrownBy(() -> Gradients.backward(wrongShape.sum()))
                    .hasMessageContaining("does not require grad");
            assertThatThrownBy(() -> Tensors.copy(wrongShape, array))
                    .hasMessageContaining("must match the size");
        }
    }

    @Test
    void anyThreadMayUseBfloat16() {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray x = manager.create(new float[] {1, -2});
            CompletableFuture<short[]> other =
                    CompletableFuture.supplyAsync(() -> BFloat16.bits(BFloat16.of(manager, x)));
            assertThat(other.join()).containsExactly((short) 0x3f80, (short) 0xc000);
        }
    }
}
