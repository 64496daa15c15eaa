package io.peft4j.torch;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class KeptBuffersTest {

    private final NDManager manager = NDManager.newBaseManager();
    private NDArray leaf;

    @BeforeEach
    void create() {
        leaf = Tensors.of(manager, new float[] {1, 2, 3}, new Shape(3));
        leaf.setRequiresGradient(true);
    }

    @AfterEach
    void close() {
        manager.close();
    }

    @Test
    void gradientsOfArithmeticWithNumbersSurviveAGarbageCollection() throws Exception {
        for (int i = 0; i < 5; i++) {
            try (NDManager batch = manager.newSubManager();
                    GradMode on = GradMode.enabled()) {
                NDArray loss;
                try (KeptBuffers kept = KeptBuffers.until(batch);
                        NDManager inner = batch.newSubManager()) {
                    NDArray x = inner.zeros(new Shape(3)).add(leaf);
                    loss = x.mul(2f).div(4f).mul(inner.create(3f)).sum();
                    loss.attach(batch);
                }
                overwriteFreedBuffers();
                Gradients.backward(loss);
                assertThat(leaf.getGradient().toFloatArray()).containsOnly(1.5f);
                Gradients.zero(leaf);
            }
        }
    }

    @Test
    void buffersAreLetGoWithTheManager() {
        NDManager batch = manager.newSubManager();
        WeakReference<ByteBuffer> buffer = useBuffer(batch);
        System.gc();
        assertThat(buffer.get()).isNotNull();
        batch.close();
        System.gc();
        assertThat(buffer.get()).isNull();
    }

    private static WeakReference<ByteBuffer> useBuffer(NDManager batch) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(4);
        try (KeptBuffers kept = KeptBuffers.until(batch)) {
            batch.create(buffer, new Shape(), DataType.FLOAT32).close();
        }
        return new WeakReference<>(buffer);
    }

    @Test
    void anNdScopeAroundItClosesWhatWasMadeInside() {
        NDArray inside;
        NDArray outside = manager.ones(new Shape(1));
        NDArray returned;
        try (NDScope scope = new NDScope()) {
            try (KeptBuffers kept = KeptBuffers.until(manager)) {
                inside = manager.ones(new Shape(1));
                returned = manager.ones(new Shape(1));
                NDScope.unregister(returned);
            }
            assertThat(inside.isReleased()).isFalse();
        }
        assertThat(inside.isReleased()).isTrue();
        assertThat(returned.isReleased()).isFalse();
        assertThat(outside.isReleased()).isFalse();
    }

    @Test
    void arraysMadeInsideOutliveIt() {
        NDArray inside;
        try (KeptBuffers kept = KeptBuffers.until(manager)) {
            inside = manager.create(7f);
        }
        assertThat(inside.getFloat()).isEqualTo(7f);
    }

    private static void overwriteFreedBuffers() throws InterruptedException {
        System.gc();
        Thread.sleep(30); // buffers are freed by another thread
        for (int i = 0; i < 2000; i++) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(4 + i % 60);
            while (buffer.hasRemaining()) {
                buffer.put((byte) 0x5a);
            }
        }
    }
}
