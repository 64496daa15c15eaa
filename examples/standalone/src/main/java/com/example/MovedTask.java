package com.example;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.loss.Loss;
import ai.djl.training.tracker.Tracker;
import ai.djl.translate.NoopTranslator;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.tuning.AdamWOptimizer;
import io.peft4j.tuning.ClipGradientNorm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/**
 * Trains a small classifier, then fits it to a task that has moved with an adapter on the frozen
 * model: points of the plane, first divided by one line, then by another.
 */
public final class MovedTask {

    private static final Shape POINT = new Shape(1, 2);

    public static void main(String[] args) throws Exception {
        Path directory = Files.createTempDirectory("moved-task");
        try (Model model = Model.newInstance("classifier")) {
            model.setBlock(classifier());
            try (Trainer trainer =
                    model.newTrainer(new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss()))) {
                trainer.initialize(POINT);
                EasyTrain.fit(trainer, 20, points(trainer.getManager(), 0.0), null);
            }
            model.save(directory, "classifier");
        }

        try (Model model = Model.newInstance("classifier")) {
            model.setBlock(classifier());
            model.load(directory, "classifier");
            DoraConfig config =
                    DoraConfig.builder().setRank(4).setTargetModules("all-linear").build();
            try (AdaptedModel adapted = Adapters.attach(model, config)) {
                System.out.print(adapted.summary());
                System.out.printf("moved task, before: %.3f%n", accuracy(model, 1.2));
                train(model);
                System.out.printf("moved task, after:  %.3f%n", accuracy(model, 1.2));
                try (AdapterScope base = adapted.disableAdapter()) {
                    System.out.printf("first task, adapter off: %.3f%n", accuracy(model, 0.0));
                }
                adapted.save(directory.resolve("adapter"));
            }
        }

        try (Model model = Model.newInstance("classifier")) {
            model.setBlock(classifier());
            model.load(directory, "classifier");
            try (AdaptedModel adapted = Adapters.load(model, directory.resolve("adapter"))) {
                adapted.mergeAndUnload();
            }
            System.out.printf("moved task, loaded and merged: %.3f%n", accuracy(model, 1.2));
        }
    }

    private static Block classifier() {
        return new SequentialBlock()
                .add(Linear.builder().setUnits(32).build())
                .add(Activation.reluBlock())
                .add(Linear.builder().setUnits(32).build())
                .add(Activation.reluBlock())
                .add(Linear.builder().setUnits(2).build());
    }

    private static void train(Model model) throws Exception {
        try (AdamWOptimizer optimizer =
                        AdamWOptimizer.builder()
                                .optLearningRateTracker(Tracker.fixed(1e-2f))
                                .build();
                Trainer trainer =
                        model.newTrainer(
                                new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
                                        .optOptimizer(optimizer)
                                        .addTrainingListeners(new ClipGradientNorm(1)))) {
            trainer.initialize(POINT);
            EasyTrain.fit(trainer, 20, points(trainer.getManager(), 1.2), null);
        }
    }

    /** Points and the side that they are on of a line through the origin. */
    private static ArrayDataset points(NDManager manager, double angle) throws Exception {
        Random random = new Random(7);
        float[] xy = new float[2 * 512];
        float[] sides = new float[512];
        for (int i = 0; i < sides.length; i++) {
            double x = random.nextGaussian();
            double y = random.nextGaussian();
            xy[2 * i] = (float) x;
            xy[2 * i + 1] = (float) y;
            sides[i] = x * Math.cos(angle) + y * Math.sin(angle) > 0 ? 1 : 0;
        }
        ArrayDataset data =
                new ArrayDataset.Builder()
                        .setData(manager.create(xy, new Shape(sides.length, 2)))
                        .optLabels(manager.create(sides))
                        .setSampling(32, true)
                        .build();
        data.prepare();
        return data;
    }

    private static double accuracy(Model model, double angle) throws Exception {
        try (NDManager manager = NDManager.newBaseManager();
                Predictor<NDList, NDList> predictor = model.newPredictor(new NoopTranslator())) {
            Random random = new Random(8);
            int right = 0;
            for (int i = 0; i < 500; i++) {
                float x = (float) random.nextGaussian();
                float y = (float) random.nextGaussian();
                boolean side = x * Math.cos(angle) + y * Math.sin(angle) > 0;
                try (NDArray point = manager.create(new float[] {x, y}, POINT);
                        NDList scores = predictor.predict(new NDList(point))) {
                    float[] values = scores.head().toFloatArray();
                    right += side == values[1] > values[0] ? 1 : 0;
                }
            }
            return right / 500.0;
        }
    }

    private MovedTask() {}
}
