package io.peft4j.tensorboard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.listener.EvaluatorTrainingListener;
import ai.djl.training.loss.Loss;
import io.peft4j.tensorboard.EventReader.Point;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorBoardListenerTest {

    private static final int ROWS = 12;
    private static final int BATCH = 4;

    @TempDir Path directory;

    private static ArrayDataset data(NDManager manager) {
        Random random = new Random(5);
        float[] inputs = new float[ROWS * 3];
        float[] labels = new float[ROWS];
        for (int row = 0; row < ROWS; row++) {
            for (int i = 0; i < 3; i++) {
                inputs[row * 3 + i] = (float) random.nextGaussian();
            }
            labels[row] = inputs[row * 3] > 0 ? 1 : 0;
        }
        NDArray x = manager.create(inputs, new Shape(ROWS, 3));
        return new ArrayDataset.Builder()
                .setData(x)
                .optLabels(manager.create(labels, new Shape(ROWS)))
                .setSampling(BATCH, false)
                .build();
    }

    private List<Point> train(boolean validate) throws Exception {
        try (Model model = Model.newInstance("linear")) {
            // by one layer alone, gradients of a softmax sum to the zero that DJL refuses
            model.setBlock(
                    new SequentialBlock()
                            .add(Linear.builder().setUnits(4).build())
                            .add(Activation::tanh)
                            .add(Linear.builder().setUnits(2).build()));
            ArrayDataset data = data(model.getNDManager());
            DefaultTrainingConfig config =
                    new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
                            .addEvaluator(new Accuracy())
                            .addTrainingListeners(
                                    new EvaluatorTrainingListener(1),
                                    new TensorBoardListener(directory));
            try (Trainer trainer = model.newTrainer(config)) {
                trainer.initialize(new Shape(BATCH, 3));
                EasyTrain.fit(trainer, 2, data, validate ? data : null);
                float trained = trainer.getTrainingResult().getTrainLoss();
                List<Point> points = EventReader.scalars(directory);
                double mean =
                        points.stream()
                                .filter(p -> p.tag().equals("train/loss") && p.step() > 3)
                                .mapToDouble(Point::value)
                                .average()
                                .orElseThrow();
                // the mean of an epoch's equal batches is what DJL has for the epoch
                assertThat(mean).isCloseTo(trained, within(1e-6));
                if (validate) {
                    assertThat(points)
                            .contains(
                                    new Point(
                                            6,
                                            "eval/loss",
                                            trainer.getTrainingResult().getValidateLoss()),
                                    new Point(
                                            6,
                                            "eval/accuracy",
                                            trainer.getTrainingResult()
                                                    .getValidateEvaluation("Accuracy")));
                }
            }
        }
        return EventReader.scalars(directory);
    }

    @Test
    void aTrainingOfDjlsTrainerHasItsLossesAndEvaluatorsAtEachBatchAndEpoch() throws Exception {
        List<Point> points = train(true);
        for (String tag : List.of("train/loss", "train/accuracy")) {
            assertThat(points)
                    .filteredOn(point -> point.tag().equals(tag))
                    .extracting(Point::step)
                    .containsExactly(1L, 2L, 3L, 4L, 5L, 6L);
        }
        for (String tag : List.of("eval/loss", "eval/accuracy")) {
            assertThat(points)
                    .filteredOn(point -> point.tag().equals(tag))
                    .extracting(Point::step)
                    .containsExactly(3L, 6L);
        }
        assertThat(points).contains(new Point(3, "train/epoch", 1), new Point(6, "train/epoch", 2));
    }

    @Test
    void withoutAValidationSetThereIsNoEvaluationAndASecondTrainingReplacesTheFirst()
            throws Exception {
        train(false);
        List<Point> points = train(false);
        assertThat(points).noneMatch(point -> point.tag().startsWith("eval/"));
        assertThat(points).filteredOn(point -> point.tag().equals("train/loss")).hasSize(6);
    }
}
