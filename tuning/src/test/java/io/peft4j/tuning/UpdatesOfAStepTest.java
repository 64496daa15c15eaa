package io.peft4j.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import io.peft4j.tuning.TrainingTask.Step;
import io.peft4j.tuning.TrainingTask.Update;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Steps in which the optimizer moves the parameters several times. */
class UpdatesOfAStepTest {

    private static final int UPDATES = 3;

    @TempDir private Path directory;

    /**
     * Supervised fine-tuning that goes through a step's rows several times.
     *
     * @param task learns once
     * @param interrupted the micro-batch in which the thread is interrupted, counted from 1 over
     *     the whole run; 0 for none
     * @param done how many micro-batches there were
     */
    private record Repeated(SftTask task, int interrupted, int[] done) implements TrainingTask {

        @Override
        public String kind() {
            return task.kind();
        }

        @Override
        public int rows() {
            return task.rows();
        }

        @Override
        public int length(int row) {
            return task.length(row);
        }

        @Override
        public Map<String, String> settings() {
            return task.settings();
        }

        @Override
        public Step begin(LanguageModel model, int step, int[] rows, Runnable beforeBatch) {
            Step once = task.begin(model, step, rows, beforeBatch);
            return new Step() {
                @Override
                public long tokens() {
                    return once.tokens();
                }

                @Override
                public long labelled() {
                    return once.labelled();
                }

                @Override
                public List<Update> updates() {
                    return IntStream.range(0, UPDATES).mapToObj(i -> update(once)).toList();
                }

                @Override
                public double loss() {
                    return once.loss();
                }
            };
        }

        private Update update(Step once) {
            Update update = once.updates().get(0);
            return new Update() {
                @Override
                public int rows() {
                    return update.rows();
                }

                @Override
                public void backward(int from, int to) {
                    if (++done[0] == interrupted) {
                        Thread.currentThread().interrupt();
                    }
                    update.backward(from, to);
                }
            };
        }

        @Override
        public boolean hasHeldOut() {
            return false;
        }

        @Override
        public EvaluationResult evaluate(LanguageModel model, int batchSize, Runnable beforeBatch) {
            throw new AssertionError("nothing is held out");
        }
    }

    private TrainingResult train(Path output, int interrupted, TrainingObserver... observers)
            throws IOException {
        LoraConfig config = LoraConfig.builder().setRank(4).setTargetModules("qkv_proj").build();
        List<Example> rows =
                IntStream.range(0, 8).mapToObj(i -> Example.of(1, 2 + i, 3, 4 + i, 5)).toList();
        try (CausalLm model = OpenElm.load();
                AdaptedModel adapted = Adapters.attach(model.block(), config, 3)) {
            return TaskTrainer.train(
                    LanguageModel.of(model),
                    new AdapterTrainable(adapted),
                    new Repeated(new SftTask(rows, List.of()), interrupted, new int[1]),
                    TrainingConfig.builder()
                            .optBatchSize(2)
                            .optGradientAccumulation(2)
                            .optMaxSteps(3)
                            .optLearningRate(5e-3)
                            .optResume(true)
                            .build(),
                    output,
                    observers);
        }
    }

    private static byte[] result(Path output) throws IOException {
        return Files.readAllBytes(output.resolve("adapter_model.safetensors"));
    }

    /** A checkpoint is of whole steps: no part of a step is learned from twice. */
    @Test
    void aStepThatHasMovedTheParametersIsDoneBeforeAnInterruptEndsTheTraining() throws IOException {
        Path whole = directory.resolve("whole");
        Path stopped = directory.resolve("stopped");
        train(whole, 0);
        int inTheSecondUpdateOfTheSecondStep = 2 * UPDATES + 3;
        assertThatThrownBy(() -> train(stopped, inTheSecondUpdateOfTheSecondStep))
                .isInstanceOf(TrainingInterruptedException.class)
                .hasMessageContaining("after step 2");
        assertThat(Thread.interrupted()).isTrue();
        Recorder recorder = new Recorder();
        train(stopped, 0, recorder);
        assertThat(recorder.doneSteps).isEqualTo(2);
        assertThat(result(stopped)).isEqualTo(result(whole));
    }

    /** Nothing has moved yet, so the step is left at once. */
    @Test
    void anInterruptInTheFirstUpdateLeavesTheStep() throws IOException {
        int inTheFirstUpdateOfTheSecondStep = 2 * UPDATES + 1;
        assertThatThrownBy(() -> train(directory, inTheFirstUpdateOfTheSecondStep))
                .isInstanceOf(TrainingInterruptedException.class)
                .hasMessageContaining("after step 1");
        assertThat(Thread.interrupted()).isTrue();
    }
}
