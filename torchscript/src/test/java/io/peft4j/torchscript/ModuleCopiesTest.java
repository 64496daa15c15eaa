package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.BaseNDManager;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.ScriptModule;
import io.peft4j.torch.Tensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Copies of a module compute at once, and are one model nevertheless. */
class ModuleCopiesTest {

    private static final String[] TARGETS = {"added", "functional"};

    @TempDir Path temporary;

    private final Model model = Model.newInstance("copies", "PyTorch");
    private final NDManager manager = model.getNDManager();

    @AfterEach
    void close() {
        model.close();
    }

    private TorchScriptBlock load(int copies) throws IOException {
        TorchScriptBlock block = TorchScriptBlock.load(PeftGolden.archive("forms"), manager);
        block.setCopies(copies);
        return block;
    }

    private static LoraConfig lora(int rank) {
        return LoraConfig.builder().setRank(rank).setTargetModules(TARGETS).build();
    }

    private static void fill(AdaptedModel adapted, String name, long seed) {
        Random random = new Random(seed);
        for (Parameter parameter : adapted.adapter(name).parameters().values()) {
            NDArray array = parameter.getArray();
            float[] values = new float[(int) array.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian() * 0.4f;
            }
            try (NDArray drawn = Tensors.of(array.getManager(), values, array.getShape())) {
                Tensors.copy(drawn, array);
            }
        }
    }

    private float[] request(AdaptedModel adapted, String... names) {
        try (AdapterScope scope = adapted.use(names);
                NDManager own = manager.newSubManager()) {
            float[] values = new float[24];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) Math.sin(i);
            }
            NDList input = new NDList(Tensors.of(own, values, new Shape(4, 6)));
            return adapted.block()
                    .forward(new ParameterStore(own, false), input, false)
                    .singletonOrThrow()
                    .toFloatArray();
        }
    }

    /** Adapters by the fast form and by weights, and passes without any, from sixteen threads. */
    @Test
    void sixteenThreadsGetWhatOneThreadGetsAndNothingStays() throws Exception {
        try (AdaptedModel adapted = Adapters.attach(load(3), lora(2))) {
            for (int i = 1; i < 4; i++) {
                adapted.add("a" + i, lora(i));
                fill(adapted, "a" + i, i);
            }
            List<float[]> alone = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                alone.add(i == 0 ? request(adapted) : request(adapted, "a" + i));
            }
            int arrays = ((BaseNDManager) manager).getManagedArrays().size();
            ExecutorService threads = Executors.newFixedThreadPool(16);
            List<Future<float[]>> results = new ArrayList<>();
            for (int i = 0; i < 320; i++) {
                int which = i % 4;
                Callable<float[]> call =
                        () -> which == 0 ? request(adapted) : request(adapted, "a" + which);
                results.add(threads.submit(call));
            }
            for (int i = 0; i < results.size(); i++) {
                assertThat(results.get(i).get(60, TimeUnit.SECONDS))
                        .containsExactly(alone.get(i % 4));
            }
            threads.shutdown();
            assertThat(((BaseNDManager) manager).getManagedArrays()).hasSize(arrays);
        }
    }

    @Test
    void whatIsMergedIsInTheCopiesToo() throws Exception {
        List<float[]> outputs = new ArrayList<>();
        for (int copies : new int[] {0, 1}) {
            TorchScriptBlock block = load(copies);
            try (AdaptedModel adapted = Adapters.attach(block, lora(2))) {
                fill(adapted, "default", 1);
                adapted.mergeAndUnload();
            }
            try (AdaptedModel adapted = Adapters.attach(block, lora(1))) {
                fill(adapted, "default", 2);
                outputs.add(request(adapted, "default"));
            }
        }
        assertThat(outputs.get(1)).containsExactly(outputs.get(0));
    }

    @Test
    void asManyThreadsAsThereAreCopiesDoNotWait() throws Exception {
        ModuleCopies copies = new ModuleCopies();
        assertThat(copies.take()).isNull();
        for (int i = 0; i < 2; i++) {
            copies.add(ScriptModule.load(manager, PeftGolden.archive("forms")));
        }
        ScriptModule one = copies.take();
        assertThat(copies.take()).isNotNull().isNotSameAs(one);
        ExecutorService thread = Executors.newSingleThreadExecutor();
        Future<ScriptModule> third = thread.submit(copies::take);
        assertThatThrownBy(() -> third.get(100, TimeUnit.MILLISECONDS))
                .isInstanceOf(TimeoutException.class);
        copies.giveBack(one);
        assertThat(third.get(10, TimeUnit.SECONDS)).isSameAs(one);
        thread.shutdown();
    }

    @Test
    void aModuleWithOtherStateHasNoCopies() throws IOException {
        Path file = temporary.resolve("counts.pt");
        new EditedArchive(PeftGolden.archive("net"))
                .replace(
                        "code/__torch__.py",
                        "  def forward(self",
                        "  def touch(self) -> int:\n    self.training = False\n    return 1\n"
                                + "  def forward(self")
                .write(file);
        TorchScriptBlock block = TorchScriptBlock.load(file, manager);
        assertThatThrownBy(() -> block.setCopies(2))
                .isInstanceOf(TorchScriptException.class)
                .hasMessageContaining("state beside its tensors");
        block.setCopies(0);
    }
}
