package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import io.peft4j.adapters.contract.FreedBuffers;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * A garbage collection between forward and backward changes no gradient, also of blocks that leave
 * numbers in Java buffers. Without adapters, DJL's BertBlock then has gradients of 1e33.
 */
class GarbageCollectionTest {

    private final NDManager manager = NDManager.newBaseManager();

    @AfterEach
    void close() {
        manager.close();
    }

    @Test
    void bertTrainsTheSame() throws Exception {
        assertSame(DjlBlocks.bert(), DjlBlocks::tokens);
    }

    @Test
    void layersWithNumbersBetweenTrainTheSame() throws Exception {
        Block block =
                new SequentialBlock()
                        .add(Linear.builder().setUnits(4).build())
                        .add(Activation.swishBlock(1.5f)) // multiplies by the number
                        .add(x -> new NDList(x.singletonOrThrow().div(3f).pow(2).maximum(0.01f)))
                        .add(Linear.builder().setUnits(4).build());
        assertSame(block, m -> new NDList(m.randomNormal(new Shape(3, 4))));
    }

    private void assertSame(Block base, Function<NDManager, NDList> input) throws Exception {
        NDList inputs = input.apply(manager);
        base.initialize(manager, DataType.FLOAT32, inputs.getShapes());
        String[] all = Adapters.sites(base).stream().map(Site::path).toArray(String[]::new);
        try (AdaptedModel adapted = Adapters.attach(base, MatrixUpdateConfig.of(2, all))) {
            for (Parameter parameter : adapted.adapter().parameters().values()) {
                NDArray array = parameter.getArray();
                Tensors.copy(manager.randomNormal(array.getShape()), array);
            }
            List<float[]> expected = gradients(adapted, inputs, false);
            for (int i = 0; i < 3; i++) {
                List<float[]> found = gradients(adapted, inputs, true);
                for (int j = 0; j < found.size(); j++) {
                    assertThat(found.get(j)).as("gradient %d", j).isEqualTo(expected.get(j));
                }
            }
        }
    }

    private List<float[]> gradients(AdaptedModel adapted, NDList inputs, boolean collect)
            throws InterruptedException {
        Engine.getEngine("PyTorch").setRandomSeed(3);
        try (NDManager batch = manager.newSubManager();
                GradMode on = GradMode.enabled()) {
            NDList own = new NDList();
            inputs.forEach(x -> own.add(Tensors.clone(batch, x)));
            NDArray y = adapted.block().forward(new ParameterStore(batch, false), own, true).get(0);
            if (collect) {
                FreedBuffers.overwrite();
            }
            Engine.getEngine("PyTorch").setRandomSeed(4);
            Gradients.backward(y, batch.randomNormal(y.getShape()));
        }
        List<float[]> gradients = new ArrayList<>();
        for (Parameter parameter : adapted.adapter().parameters().values()) {
            try (NDArray gradient = parameter.getArray().getGradient()) {
                gradients.add(gradient.toFloatArray());
            }
            Gradients.zero(parameter.getArray());
        }
        return gradients;
    }
}
