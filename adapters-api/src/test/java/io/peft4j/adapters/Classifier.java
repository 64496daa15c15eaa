package io.peft4j.adapters;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.dataset.ArrayDataset;
import java.util.LinkedHashMap;
import java.util.Map;

/** A small DJL model and data it can learn: which of two sums is larger. */
final class Classifier {

    static final int IN = 4;
    static final String[] LAYERS = {"01Linear", "04Linear"};

    private Classifier() {}

    static Block block() {
        return new SequentialBlock()
                .add(Linear.builder().setUnits(8).build())
                .add(BatchNorm.builder().build())
                .add(Activation::tanh)
                .add(Linear.builder().setUnits(2).build());
    }

    /** A model with other values for each seed. */
    static Model model(int seed) {
        Model model = Model.newInstance("classifier", "PyTorch");
        Engine.getEngine("PyTorch").setRandomSeed(seed);
        Block block = block();
        block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, IN));
        model.setBlock(block);
        return model;
    }

    static ArrayDataset data(NDManager manager, int rows, int batch) {
        Engine.getEngine("PyTorch").setRandomSeed(7);
        NDArray x = manager.randomNormal(new Shape(rows, IN));
        NDArray label =
                x.get(":, 0:2")
                        .sum(new int[] {1})
                        .gt(x.get(":, 2:4").sum(new int[] {1}))
                        .toType(DataType.INT64, false);
        return new ArrayDataset.Builder()
                .setData(x)
                .optLabels(label)
                .setSampling(batch, false)
                .build();
    }

    static Map<String, float[]> values(Block block) {
        Map<String, float[]> values = new LinkedHashMap<>();
        block.getParameters()
                .forEach(p -> values.put(p.getKey(), p.getValue().getArray().toFloatArray()));
        return values;
    }

    static Map<String, float[]> values(Map<String, Parameter> parameters) {
        Map<String, float[]> values = new LinkedHashMap<>();
        parameters.forEach((key, p) -> values.put(key, p.getArray().toFloatArray()));
        return values;
    }
}
