package io.peft4j.tuning;

import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.models.CausalLm;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A training of the golden OpenELM with everything that a resume must get right: dropout,
 * accumulation, clipping, a schedule, a shuffled order. Also a program that a test can kill, with
 * the arguments METHOD OUTPUT STEP: after that step it waits to be killed.
 */
final class TrainingProgram {

    static final int STEPS = 12;

    private TrainingProgram() {}

    public static void main(String[] arguments) throws IOException {
        int last = Integer.parseInt(arguments[2]);
        TrainingObserver waiter =
                new TrainingObserver() {
                    @Override
                    public void onStep(TrainingStep step) {
                        if (step.step() == last) {
                            LockSupport.parkNanos(TimeUnit.MINUTES.toNanos(2));
                        }
                    }
                };
        train(arguments[0], Path.of(arguments[1]), waiter);
    }

    static TrainingResult train(String method, Path output, TrainingObserver... observers)
            throws IOException {
        try (CausalLm model = OpenElm.load()) {
            if (method.equals("full")) {
                return train(model, new FullTrainable(model), output, observers);
            }
            try (AdaptedModel adapted = Adapters.attach(model.block(), adapter(method), 5)) {
                return train(model, new AdapterTrainable(adapted), output, observers);
            }
        }
    }

    private static TrainingResult train(
            CausalLm model, Trainable trainable, Path output, TrainingObserver... observers)
            throws IOException {
        TrainingConfig config =
                TrainingConfig.builder()
                        .optBatchSize(2)
                        .optGradientAccumulation(2)
                        .optMaxSteps(STEPS)
                        .optLearningRate(5e-3)
                        .optSchedule(Schedule.COSINE)
                        .optWeightDecay(0.01)
                        .optSaveSteps(2)
                        .optEvalSteps(4)
                        .optResume(true)
                        .build();
        return SftTrainer.train(
                LanguageModel.of(model), trainable, rows(11), rows(3), config, output, observers);
    }

    private static AdapterConfig adapter(String method) {
        String[] targets = {"qkv_proj", "proj_1"};
        return method.equals("lora")
                ? LoraConfig.builder().setRank(4).optDropout(0.2).setTargetModules(targets).build()
                : DoraConfig.builder().setRank(4).optDropout(0.2).setTargetModules(targets).build();
    }

    private static List<Example> rows(int count) {
        Random random = new Random(count);
        List<Example> rows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            rows.add(Example.of(random.longs(4 + i, 4, 264).toArray()));
        }
        return rows;
    }
}
