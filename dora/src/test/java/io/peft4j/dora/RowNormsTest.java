package io.peft4j.dora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import ai.djl.translate.StackBatchifier;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.Adapters;
import io.peft4j.torch.Tensors;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Kept norms follow every way in which a weight, A or B can change. */
class RowNormsTest {

    private static final long IN = 6;
    private static final long OUT = 5;

    private final NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");
    private final Linear linear = Linear.builder().setUnits(OUT).build();
    private final SequentialBlock base = new SequentialBlock().add(linear);
    private AdaptedModel adapted;
    private float[] before;

    @BeforeEach
    void attach() {
        base.initialize(manager, DataType.FLOAT32, new Shape(1, IN));
        DoraConfig config = DoraConfig.builder().setRank(2).setTargetModules("all-linear").build();
        adapted = Adapters.attach(base, config, 1);
        parameters(
                parameter -> Tensors.copy(random(parameter.getShape(), 3), parameter.getArray()));
        before = output();
        assertNormsAreNew();
    }

    @AfterEach
    void close() {
        adapted.close();
        manager.close();
    }

    private void parameters(Consumer<Parameter> action) {
        adapted.adapter().parameters().values().forEach(action);
    }

    private Parameter parameter(String end) {
        return adapted.adapter().parameters().entrySet().stream()
                .filter(entry -> entry.getKey().endsWith(end))
                .findFirst()
                .orElseThrow()
                .getValue();
    }

    private NDArray random(Shape shape, long seed) {
        Random random = new Random(seed);
        float[] values = new float[(int) shape.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Tensors.of(manager, values, shape);
    }

    private NDArray input(NDManager scope) {
        NDArray x = random(new Shape(3, IN), 9);
        x.attach(scope);
        return x;
    }

    private float[] output() {
        try (NDManager scope = manager.newSubManager()) {
            return adapted.block()
                    .forward(new ParameterStore(scope, false), new NDList(input(scope)), false)
                    .singletonOrThrow()
                    .toFloatArray();
        }
    }

    /** Compares with the effective weight, which keeps nothing. */
    private void assertNormsAreNew() {
        float[] found = output();
        AdapterState state = adapted.adapter().states().values().iterator().next();
        try (NDManager scope = manager.newSubManager()) {
            NDArray w = linear.getParameters().get("weight").getArray().reshape(OUT, IN);
            w.attach(scope);
            NDArray whole = state.effectiveWeight(w, new ParameterStore(scope, false), false);
            NDArray bias = linear.getParameters().get("bias").getArray();
            float[] expected =
                    Linear.linear(input(scope), whole, bias).singletonOrThrow().toFloatArray();
            for (int i = 0; i < expected.length; i++) {
                assertThat(found[i]).isCloseTo(expected[i], within(2e-5f));
            }
        }
    }

    private void assertChangedAndNormsAreNew() {
        assertThat(output()).isNotEqualTo(before);
        assertNormsAreNew();
    }

    private enum Write {
        COPY {
            @Override
            void write(NDArray array, NDArray values) {
                Tensors.copy(values, array);
            }
        },
        SET {
            @Override
            void write(NDArray array, NDArray values) {
                array.set(values.toFloatArray());
            }
        },
        COPY_TO {
            @Override
            void write(NDArray array, NDArray values) {
                values.copyTo(array);
            }
        };

        abstract void write(NDArray array, NDArray values);
    }

    @ParameterizedTest
    @EnumSource
    void valuesThatAreWrittenIntoAOrBOrTheWeight(Write write) {
        for (String name : new String[] {"lora_A.weight", "lora_B.weight"}) {
            NDArray array = parameter(name).getArray();
            write.write(array, random(array.getShape(), 21));
            assertChangedAndNormsAreNew();
            before = output();
        }
        NDArray weight = linear.getParameters().get("weight").getArray();
        write.write(weight, random(weight.getShape(), 22));
        assertChangedAndNormsAreNew();
    }

    /** As DJL's {@code loadParameters} does it. */
    @Test
    void anArrayThatTakesThePlaceOfAnother() throws IOException, MalformedModelException {
        Parameter weight = linear.getParameters().get("weight");
        for (Parameter parameter : List.of(parameter("lora_B.weight"), weight)) {
            NDArray old = parameter.getArray();
            ByteArrayOutputStream saved = new ByteArrayOutputStream();
            parameter.save(new DataOutputStream(saved));
            Tensors.copy(random(old.getShape(), 33), old);
            assertChangedAndNormsAreNew();
            InputStream bytes = new ByteArrayInputStream(saved.toByteArray());
            parameter.load(manager, new DataInputStream(bytes));
            assertThat(parameter.getArray()).isNotSameAs(old);
            old.close();
            assertThat(output()).containsExactly(before);
            assertNormsAreNew();
        }
    }

    @Test
    void unmergedWeightsGiveTheBitsFromBefore() {
        adapted.merge();
        output();
        adapted.unmerge();
        assertThat(output()).containsExactly(before);
        adapted.add(
                "second", DoraConfig.builder().setRank(2).setTargetModules("all-linear").build());
        adapted.activate("second");
        float[] second = output();
        adapted.merge();
        adapted.unmerge();
        assertThat(output()).containsExactly(second);
        adapted.activate("default");
        assertThat(output()).containsExactly(before);
        assertNormsAreNew();
    }

    @Test
    void valuesThatAreLoadedIntoAnAttachedAdapter(@TempDir Path directory) throws IOException {
        adapted.save(directory);
        parameters(
                parameter -> Tensors.copy(random(parameter.getShape(), 5), parameter.getArray()));
        assertChangedAndNormsAreNew();
        adapted.adapter().load(directory);
        assertThat(output()).containsExactly(before);
        assertNormsAreNew();
    }

    private enum Steps {
        SGD,
        SGD_WITH_MOMENTUM,
        ADAM,
        ADAM_W;

        Optimizer optimizer() {
            Tracker rate = Tracker.fixed(0.1f);
            return switch (this) {
                case SGD -> Optimizer.sgd().setLearningRateTracker(rate).build();
                case SGD_WITH_MOMENTUM ->
                        Optimizer.sgd().setLearningRateTracker(rate).optMomentum(0.9f).build();
                case ADAM -> Optimizer.adam().optLearningRateTracker(rate).build();
                case ADAM_W -> Optimizer.adamW().optLearningRateTracker(rate).build();
            };
        }
    }

    @ParameterizedTest
    @EnumSource
    void stepsOfDjlsOptimizers(Steps steps) {
        try (Model model = Model.newInstance("norms", Device.cpu(), "PyTorch")) {
            model.setBlock(adapted.block());
            DefaultTrainingConfig config =
                    new DefaultTrainingConfig(Loss.l2Loss())
                            .optDevices(new Device[] {Device.cpu()})
                            .optOptimizer(steps.optimizer());
            try (Trainer trainer = model.newTrainer(config)) {
                trainer.initialize(new Shape(3, IN));
                for (int step = 0; step < 3; step++) {
                    step(trainer);
                    assertChangedAndNormsAreNew();
                    before = output();
                }
            }
        }
    }

    private void step(Trainer trainer) {
        NDManager scope = trainer.getManager().newSubManager();
        NDArray target = random(new Shape(3, OUT), 8);
        target.attach(scope);
        try (Batch batch =
                new Batch(
                        scope,
                        new NDList(input(scope)),
                        new NDList(target),
                        3,
                        new StackBatchifier(),
                        new StackBatchifier(),
                        0,
                        0)) {
            EasyTrain.trainBatch(trainer, batch);
            trainer.step();
        }
    }
}
