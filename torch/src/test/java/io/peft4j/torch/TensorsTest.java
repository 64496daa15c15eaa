package io.peft4j.torch;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import org.junit.jupiter.api.Test;

class TensorsTest {

    @Test
    void viewsOfTheTargetSeeACopyAndItOutlivesTheSource() {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray target = manager.create(new float[] {1, 2, 3, 4});
            NDArray view = target.get("1:3");
            try (NDArray source = manager.create(new float[] {5, 6, 7, 8})) {
                Tensors.copy(source, target);
            }
            assertThat(target.toFloatArray()).containsExactly(5, 6, 7, 8);
            assertThat(view.toFloatArray()).containsExactly(6, 7);
        }
    }

    @Test
    void aParameterThatRequiresAGradientIsOverwrittenInPlace() {
        try (NDManager manager = NDManager.newBaseManager();
                GradMode on = GradMode.enabled()) {
            NDArray parameter = manager.create(new float[] {1, 2});
            parameter.setRequiresGradient(true);
            Tensors.copy(manager.create(new int[] {3, 4}), parameter);
            assertThat(parameter.toFloatArray()).containsExactly(3, 4);
            assertThat(parameter.getDataType()).isEqualTo(DataType.FLOAT32);
            Gradients.backward(parameter.mul(parameter).sum());
            assertThat(parameter.getGradient().toFloatArray()).containsExactly(6, 8);
        }
    }

    @Test
    void aCloneIsIndependentAndHasNoHistory() {
        try (NDManager manager = NDManager.newBaseManager();
                GradMode on = GradMode.enabled()) {
            NDArray source = manager.create(new float[] {1, 2});
            source.setRequiresGradient(true);
            NDArray clone = Tensors.clone(manager, source.mul(2));
            Tensors.copy(manager.create(new float[] {9, 9}), source);
            assertThat(clone.toFloatArray()).containsExactly(2, 4);
            assertThat(clone.hasGradient()).isFalse();
        }
    }
}
