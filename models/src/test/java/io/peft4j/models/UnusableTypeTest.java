package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.UnsupportedDtypeException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The engine ends the process when it is to make a parameter of a type that it lacks. */
class UnusableTypeTest {

    @ParameterizedTest
    @EnumSource(names = {"BFLOAT16", "UNKNOWN", "INT16"})
    void aDecoderRefusesToBeInitialisedInATypeThatTheEngineLacks(DataType type) {
        try (CausalLm model = Golden.load();
                NDManager manager = NDManager.newBaseManager()) {
            Decoder fresh = new Decoder(model.block().architecture());
            for (Decoder decoder : new Decoder[] {fresh, model.block()}) {
                assertThatThrownBy(() -> decoder.initialize(manager, type, new Shape(1, 1)))
                        .isInstanceOf(UnsupportedDtypeException.class)
                        .hasMessageStartingWith("Decoder.initialize: expected a DataType that")
                        .hasMessageContaining("found " + type.name());
            }
            assertThat(fresh.isInitialized()).isFalse();
        }
    }
}
