package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.peft4j.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MatrixProductTest {

    @ParameterizedTest
    @EnumSource(
            value = ScalarType.class,
            names = {"FLOAT32", "BFLOAT16", "FLOAT16"})
    void whatIsChosenIsThereAndChosenAgain(ScalarType type) {
        MatrixProduct chosen = MatrixProduct.of(type, Device.cpu());
        assertThat(chosen.isFor(type, Device.cpu())).isTrue();
        assertThat(MatrixProduct.of(type, Device.cpu())).isEqualTo(chosen);
    }

    @Test
    void onAGpuItIsLibtorchsOwn() {
        assertThat(MatrixProduct.of(ScalarType.BFLOAT16, Device.gpu()))
                .isEqualTo(MatrixProduct.LINEAR);
        assertThat(MatrixProduct.WIDENED.isFor(ScalarType.BFLOAT16, Device.gpu())).isFalse();
        assertThat(MatrixProduct.ONEDNN.isFor(ScalarType.FLOAT32, Device.gpu())).isFalse();
    }

    @Test
    void widenedIsForLowPrecisionAlone() {
        assertThat(MatrixProduct.WIDENED.isFor(ScalarType.FLOAT32, Device.cpu())).isFalse();
        assertThat(MatrixProduct.WIDENED.isFor(ScalarType.BFLOAT16, Device.cpu())).isTrue();
    }
}
