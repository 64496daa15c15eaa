package io.peft4j.torch;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

class TorchValueTest {

    private static final TextModule MODULE =
            TextModule.compile(
                    """
                      def mixed(self, x: Tensor, parts: List[Tensor], n: List[int], f: List[float], on: bool) -> List[Tensor]:
                        y = torch.mul(x, f[0])
                        for i in range(torch.len(parts)):
                          y = torch.add(y, parts[i], alpha=n[i])
                        if on:
                          y = torch.neg(y)
                        else:
                          pass
                        return [y, x]
                      def grow_(self, x: Tensor) -> Tensor:
                        return torch.add_(x, 1)
                      def versions(self, x: List[Tensor]) -> List[int]:
                        v = annotate(List[int], [])
                        for i in range(torch.len(x)):
                          _ = torch.append(v, torch._version(x[i]))
                        return v
                    """);

    @AfterAll
    static void free() {
        MODULE.close();
    }

    @Test
    void argumentsOfAllTypesArriveAndListsComeBack() {
        try (NDManager manager = NDManager.newBaseManager();
                TorchValue x = TorchValue.of(manager.create(new float[] {1, 2}));
                TorchValue parts = TorchValue.of(List.of(manager.ones(new Shape(2))));
                TorchValue none = TorchValue.of(List.<NDArray>of());
                TorchValue n = TorchValue.ofLongs(3);
                TorchValue noNumbers = TorchValue.ofLongs();
                TorchValue f = TorchValue.ofDoubles(0.5);
                TorchValue on = TorchValue.of(true);
                TorchValue off = TorchValue.of(false);
                TorchValue some = MODULE.infer("mixed", x, parts, n, f, on);
                TorchValue fewer = MODULE.infer("mixed", x, none, noNumbers, f, off)) {
            assertThat(some.tensors(manager).get(0).toFloatArray()).containsExactly(-3.5f, -4);
            assertThat(fewer.tensors(manager).get(0).toFloatArray()).containsExactly(0.5f, 1);
        }
    }

    @Test
    void aValueOutlivesTheArrayItWasMadeOf() {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray array = Tensors.of(manager, new float[] {7}, new Shape(1));
            TorchValue value = TorchValue.of(array);
            array.close();
            try (value) {
                assertThat(value.tensor(manager).toFloatArray()).containsExactly(7);
            }
        }
    }

    @Test
    void writingIntoATrainedTensorRaisesItsVersion() {
        try (NDManager manager = NDManager.newBaseManager();
                GradMode on = GradMode.enabled()) {
            NDArray leaf = Tensors.of(manager, new float[] {1}, new Shape(1));
            leaf.setRequiresGradient(true);
            try (TorchValue x = TorchValue.of(leaf);
                    TorchValue list = TorchValue.of(List.of(leaf));
                    TorchValue before = MODULE.infer("versions", list);
                    TorchValue grown = MODULE.infer("grow_", x);
                    TorchValue after = MODULE.infer("versions", list)) {
                assertThat(grown).isNotNull();
                assertThat(leaf.toFloatArray()).containsExactly(2);
                assertThat(after.longs()[0]).isGreaterThan(before.longs()[0]);
            }
        }
    }
}
