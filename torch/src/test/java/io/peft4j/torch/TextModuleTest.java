package io.peft4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

class TextModuleTest {

    private static final TextModule MODULE =
            TextModule.compile(
                    """
                      def square(self, x: Tensor) -> Tensor:
                        return torch.mul(x, x)
                      def cubed(self, x: Tensor) -> Tensor:
                        return torch.mul((self).square(x), x)
                      def both(self, x: Tensor) -> Tuple[Tensor, Tensor]:
                        return ((self).square(x), (self).cubed(x))
                      def dot(self, a: List[Tensor], b: List[Tensor], start: Tensor) -> Tensor:
                        total = start
                        for i in range(torch.len(a)):
                          total = torch.add(total, torch.sum(torch.mul(a[i], b[i])))
                        return total
                    """);

    @AfterAll
    static void free() {
        MODULE.close();
    }

    @Test
    void methodsCallEachOtherAndReturnTuples() {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDList both = MODULE.callList(manager, "both", manager.create(new float[] {1, 2, 3}));
            assertThat(both.get(0).toFloatArray()).containsExactly(1, 4, 9);
            assertThat(both.get(1).toFloatArray()).containsExactly(1, 8, 27);
        }
    }

    @Test
    void gradientsFlowThroughACallWhileTheGradModeIsOn() {
        try (NDManager manager = NDManager.newBaseManager();
                GradMode on = GradMode.enabled()) {
            NDArray x = manager.create(new float[] {1, 2, 3});
            x.setRequiresGradient(true);
            Gradients.backward(MODULE.call(manager, "cubed", x), manager.ones(new Shape(3)));
            assertThat(x.getGradient().toFloatArray()).containsExactly(3, 12, 27);
            Gradients.zero(x);
            assertThat(x.getGradient().toFloatArray()).containsExactly(0, 0, 0);
        }
    }

    @Test
    void nothingIsRecordedWhileTheGradModeIsOff() {
        try (NDManager manager = NDManager.newBaseManager();
                GradMode on = GradMode.enabled()) {
            NDArray x = manager.create(new float[] {1, 2, 3});
            x.setRequiresGradient(true);
            try (GradMode off = GradMode.disabled()) {
                NDArray y = MODULE.call(manager, "square", x).sum();
                assertThatThrownBy(() -> Gradients.backward(y))
                        .hasMessageContaining("does not require grad");
            }
            Gradients.backward(MODULE.call(manager, "square", x).sum());
            assertThat(x.getGradient().toFloatArray()).containsExactly(2, 4, 6);
        }
    }

    @Test
    void listsKeepTheirArraysNames() {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray named = manager.create(new float[] {1, 2});
            named.setName("weight");
            NDArray unnamed = manager.create(new float[] {3});
            NDList a = new NDList(named, unnamed);
            NDList b =
                    new NDList(
                            manager.create(new float[] {10, 100}), manager.create(new float[] {2}));
            NDArray total =
                    MODULE.callLists(manager, "dot", List.of(a, b), manager.create(0.5f))
                            .singletonOrThrow();
            assertThat(total.getFloat()).isEqualTo(216.5f);
            assertThat(named.getName()).isEqualTo("weight");
            assertThat(unnamed.getName()).isNull();
        }
    }

    @Test
    void anArraysNameMeansNothing() {
        try (NDManager manager = NDManager.newBaseManager();
                GradMode on = GradMode.enabled()) {
            NDArray x = manager.create(new float[] {1, 2, 3});
            x.setRequiresGradient(true);
            for (String name :
                    new String[] {"model.weight", "a[]", "a()", "a(1)", "module_method:cubed"}) {
                x.setName(name);
                try (NDArray y = MODULE.call(manager, "square", x)) {
                    assertThat(y.toFloatArray()).containsExactly(1, 4, 9);
                    Gradients.backward(y.sum());
                }
                assertThat(x.getGradient().toFloatArray()).containsExactly(2, 4, 6);
                assertThat(x.getName()).isEqualTo(name);
                Gradients.zero(x);
                Tensors.copy(manager.create(new float[] {1, 2, 3}), x);
            }
        }
    }

    @Test
    void resultsBelongToTheGivenOwnerAndNothingElseStays() {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray x = manager.create(new float[] {1, 2});
            try (NDManager owner = manager.newSubManager()) {
                for (int i = 0; i < 20; i++) {
                    assertThat(MODULE.call(owner, "square", x).getManager()).isSameAs(owner);
                }
            }
            assertThat(manager.getManagedArrays()).hasSize(1);
        }
    }

    @Test
    void threadsShareAModule() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        try {
            List<Callable<Float>> tasks = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                float value = i;
                tasks.add(
                        () -> {
                            try (NDManager manager = NDManager.newBaseManager()) {
                                NDArray x = manager.create(new float[] {value});
                                return MODULE.call(manager, "cubed", x).toFloatArray()[0];
                            }
                        });
            }
            List<Future<Float>> results = pool.invokeAll(tasks);
            for (int i = 0; i < results.size(); i++) {
                assertThat(results.get(i).get()).isEqualTo((float) i * i * i);
            }
        } finally {
            pool.shutdownNow();
        }
    }

    @Test
    void textThatIsNotTorchScriptIsRefusedWithLibtorchsReason() {
        assertThatThrownBy(
                        () ->
                                TextModule.compile(
                                        "  def f(self, x: Tensor) -> Tensor:\n"
                                                + "    return torch.no_such_op(x)\n"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no_such_op");
    }

    @Test
    void missingResourceIsNamed() {
        assertThatThrownBy(() -> TextModule.resource(TextModuleTest.class, "absent.ts"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("absent.ts");
    }

    @Test
    void gradModeScopesNestAndPutBackWhatWasThere() {
        try (GradMode on = GradMode.enabled()) {
            try (GradMode off = GradMode.disabled();
                    GradMode inner = GradMode.enabled()) {
                assertThat(ai.djl.pytorch.jni.JniUtils.isGradMode()).isTrue();
            }
            assertThat(ai.djl.pytorch.jni.JniUtils.isGradMode()).isTrue();
        }
    }
}
