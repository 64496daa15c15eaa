package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.BFloat16;
import io.peft4j.torch.TextModule;
import io.peft4j.torch.TorchValue;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The memory that what layers keep is moved to. */
class ActivationMemoryTest {

    private static final TextModule KERNELS = MatrixProduct.LINEAR.kernels();

    private final NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");

    @AfterEach
    void free() {
        manager.close();
    }

    private NDArray numbers(int from, int count) {
        return manager.arange(from, from + count, 1, DataType.FLOAT32);
    }

    private TorchValue moved(TorchValue memory, NDArray... tensors) {
        try (TorchValue list = TorchValue.of(List.of(tensors))) {
            return KERNELS.infer("all_moved", list, memory);
        }
    }

    private int blocks(TorchValue memory) {
        return memory.tensors(manager).size() - 1;
    }

    @Test
    void tensorsOfAnyTypeAndLayoutKeepTheirValuesBesideEachOther() {
        NDArray plain = numbers(0, 35).reshape(5, 7);
        NDArray turned = numbers(100, 24).reshape(2, 3, 4).transpose(2, 0, 1);
        NDArray part = numbers(200, 24).reshape(4, 6).get(":, 1:3");
        NDArray narrow = BFloat16.of(manager, numbers(1, 9));
        NDArray whole = manager.create(new long[] {7, -3, 5});
        NDArray none = manager.create(new Shape(0));
        try (TorchValue memory = KERNELS.infer("no_memory");
                TorchValue result = moved(memory, plain, turned, part, narrow, whole, none)) {
            NDList there = result.tensors(manager);
            assertThat(there.get(0)).isEqualTo(plain);
            assertThat(there.get(1)).isEqualTo(turned);
            assertThat(there.get(2)).isEqualTo(part);
            assertThat(BFloat16.isBFloat16(there.get(3))).isTrue();
            assertThat(BFloat16.toFloat32(manager, there.get(3))).isEqualTo(numbers(1, 9));
            assertThat(there.get(4)).isEqualTo(whole);
            assertThat(there.get(5).getShape()).isEqualTo(new Shape(0));
            assertThat(blocks(memory)).isEqualTo(1);
        }
    }

    /** A copy that lays a tensor out anew would make kernels copy it again when they read it. */
    @Test
    void aTransposedTensorStaysTransposed() {
        String strides =
                "  def strides(self, x: List[Tensor]) -> List[int]:\n    return torch.stride(x[0])\n";
        NDArray turned = numbers(0, 24).reshape(2, 3, 4).transpose(2, 0, 1);
        try (TextModule text = TextModule.compile(strides);
                TorchValue memory = KERNELS.infer("no_memory");
                TorchValue result = moved(memory, turned);
                TorchValue layout = text.infer("strides", result)) {
            assertThat(layout.longs()).containsExactly(1, 12, 4);
        }
    }

    @Test
    void whatDoesNotFitGoesToAnotherBlockAndBlocksAreUsedAgain() {
        NDArray position = manager.create(new long[] {0, 0});
        NDArray small = manager.create(new Shape(256), DataType.UINT8);
        try (TorchValue memory = TorchValue.of(List.of(position, small))) {
            for (int pass = 0; pass < 3; pass++) {
                KERNELS.infer("emptied", memory).close();
                try (TorchValue result =
                        moved(
                                memory,
                                numbers(0, 30),
                                numbers(50, 30),
                                numbers(90, 2),
                                numbers(7, 1))) {
                    NDList there = result.tensors(manager);
                    assertThat(there.get(0)).isEqualTo(numbers(0, 30));
                    assertThat(there.get(1)).isEqualTo(numbers(50, 30));
                    assertThat(there.get(2)).isEqualTo(numbers(90, 2));
                    assertThat(there.get(3)).isEqualTo(numbers(7, 1));
                }
                assertThat(position.toLongArray()).containsExactly(1, 128);
                assertThat(blocks(memory)).isEqualTo(2);
            }
        }
    }

    @Test
    void passesAtATimeHaveMemoryOfTheirOwnAndOneOfThemStays() {
        ActivationMemory activations = new ActivationMemory();
        ActivationMemory.Use first = activations.take(KERNELS, manager);
        ActivationMemory.Use second = activations.take(KERNELS, manager);
        try (TorchValue one = moved(first.memory(), numbers(0, 5));
                TorchValue other = moved(second.memory(), numbers(50, 5))) {
            assertThat(one.tensors(manager).get(0)).isEqualTo(numbers(0, 5));
            assertThat(other.tensors(manager).get(0)).isEqualTo(numbers(50, 5));
        }
        first.close();
        second.close();
        assertThatThrownBy(() -> second.memory().tensors(manager))
                .isInstanceOf(IllegalStateException.class);
        ActivationMemory.Use third = activations.take(KERNELS, manager);
        assertThat(blocks(third.memory())).isEqualTo(1);
        third.close();
        activations.free();
        assertThatThrownBy(() -> third.memory().tensors(manager))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void itIsFreedWithTheModelIfNoPassHasItAndElseByTheLast() {
        ActivationMemory activations = new ActivationMemory();
        NDManager model = manager.newSubManager();
        ActivationMemory.Use ended = activations.take(KERNELS, model);
        ActivationMemory.Use running = activations.take(KERNELS, model);
        ended.close();
        model.close();
        assertThatThrownBy(() -> ended.memory().tensors(manager))
                .isInstanceOf(IllegalStateException.class);
        moved(running.memory(), numbers(0, 5)).close();
        running.close();
        assertThatThrownBy(() -> running.memory().tensors(manager))
                .isInstanceOf(IllegalStateException.class);
    }
}
