package io.peft4j.dora;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
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
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.torch.Tensors;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoraModelFileTest {

    @Test
    void aBaseThatIsLoadedBelowAnAdapterHasItsOwnNorms(@TempDir Path directory) throws Exception {
        try (Model trained = model(1);
                Model restored = model(2);
                NDManager manager = NDManager.newBaseManager()) {
            NDArray x = manager.randomNormal(new Shape(3, 4));
            AdaptedModel adapted = attach(trained);
            for (Parameter parameter : adapted.adapter().parameters().values()) {
                NDArray array = parameter.getArray();
                Tensors.copy(manager.randomNormal(array.getShape()), array);
            }
            trained.save(directory, "model");
            attach(restored);
            restored.load(directory, "model");
            assertThat(run(restored, x)).isEqualTo(run(trained, x));
        }
    }

    private static AdaptedModel attach(Model model) {
        return Adapters.attach(
                model,
                DoraConfig.builder().setRank(2).setTargetModules("01Linear", "03Linear").build());
    }

    private static Model model(int seed) {
        Model model = Model.newInstance("model", "PyTorch");
        Engine.getEngine("PyTorch").setRandomSeed(seed);
        Block block =
                new SequentialBlock()
                        .add(Linear.builder().setUnits(6).build())
                        .add(Activation::tanh)
                        .add(Linear.builder().setUnits(2).build());
        block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 4));
        model.setBlock(block);
        return model;
    }

    private static float[] run(Model model, NDArray x) {
        ParameterStore store = new ParameterStore(x.getManager(), false);
        return model.getBlock()
                .forward(store, new NDList(x), false)
                .singletonOrThrow()
                .toFloatArray();
    }
}
