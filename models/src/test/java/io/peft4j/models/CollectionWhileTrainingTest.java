package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.testdata.TestData;
import io.peft4j.torch.Gradients;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class CollectionWhileTrainingTest {

    /** A graph that kept a tensor in a Java buffer would read freed memory in backward. */
    @Test
    void garbageCollectionsDuringTrainingChangeNoBitOfAGradient() throws Exception {
        AtomicBoolean done = new AtomicBoolean();
        Thread collector =
                new Thread(
                        () -> {
                            while (!done.get()) {
                                System.gc();
                                for (int i = 0; i < 500; i++) {
                                    ByteBuffer.allocateDirect(8 * (1 + i % 16)).putLong(0, -1L);
                                }
                            }
                        });
        try (CausalLm model = CausalLm.load(TestData.path("golden/openelm/model"), Device.cpu());
                NDManager scope = model.manager().newSubManager()) {
            long[] tokens = {1, 9, 8, 7, 6, 5, 4, 9, 1, 7, 5, 3, 9, 8, 7, 6};
            NDArray ids = scope.create(tokens, new Shape(2, 8));
            NDArray weight =
                    model.parameters().get("transformer.layers.0.attn.qkv_proj.weight").getArray();
            model.backward(ids, ids, 14);
            float[] expected = takeGradient(weight);
            collector.start();
            for (int i = 0; i < 150; i++) {
                model.backward(ids, ids, 14);
                assertThat(takeGradient(weight)).isEqualTo(expected);
            }
        } finally {
            done.set(true);
            collector.join();
        }
    }

    private static float[] takeGradient(NDArray weight) {
        try (NDArray gradient = weight.getGradient()) {
            float[] values = gradient.toFloatArray();
            Gradients.zero(weight);
            return values;
        }
    }
}
