package io.peft4j.tuning;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.translate.StackBatchifier;
import ai.djl.util.PairList;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** A DJL training whose gradients are given: the loss is the sum of p · g over the parameters. */
final class ReplayedTraining implements AutoCloseable {

    private final Model model = Model.newInstance("replay", "PyTorch");
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private final Sum block = new Sum();

    ReplayedTraining(JsonObject shapes, JsonObject start) {
        this(manager -> GoldenJson.parameters(manager, shapes, start));
    }

    ReplayedTraining(Function<NDManager, Map<String, Parameter>> parameters) {
        this.parameters.putAll(parameters.apply(model.getNDManager()));
        block.add(this.parameters);
        model.setBlock(block);
    }

    NDManager manager() {
        return model.getNDManager();
    }

    Map<String, Parameter> parameters() {
        return parameters;
    }

    Trainer trainer(Optimizer optimizer, TrainingListener... listeners) {
        return trainer(new Device[] {Device.cpu()}, optimizer, listeners);
    }

    Trainer trainer(Device[] devices, Optimizer optimizer, TrainingListener... listeners) {
        return model.newTrainer(
                new DefaultTrainingConfig(new Given())
                        .optDevices(devices)
                        .optOptimizer(optimizer)
                        .addTrainingListeners(listeners));
    }

    /** Backward and the listeners, without the step; null stands for no gradient. */
    void batch(Trainer trainer, JsonObject gradients) {
        Map<String, float[]> given = new LinkedHashMap<>();
        for (String name : gradients.keySet()) {
            if (!gradients.get(name).isJsonNull()) {
                given.put(name, GoldenJson.floats(gradients.get(name)));
            }
        }
        batch(trainer, given);
    }

    void batch(Trainer trainer, Map<String, float[]> gradients) {
        NDManager scope = trainer.getManager().newSubManager();
        NDList data = new NDList();
        block.reached = new ArrayList<>(gradients.keySet());
        gradients.forEach(
                (name, values) -> data.add(scope.create(values, parameters.get(name).getShape())));
        try (Batch batch =
                new Batch(
                        scope,
                        data,
                        new NDList(scope.ones(new Shape(1))),
                        1,
                        new StackBatchifier(),
                        new StackBatchifier(),
                        0,
                        0)) {
            EasyTrain.trainBatch(trainer, batch);
        }
    }

    @Override
    public void close() {
        model.close();
    }

    private static final class Given extends Loss {

        Given() {
            super("given");
        }

        @Override
        public NDArray evaluate(NDList labels, NDList predictions) {
            return predictions.singletonOrThrow();
        }
    }

    private static final class Sum extends AbstractBlock {

        private final Map<String, Parameter> byName = new LinkedHashMap<>();
        private List<String> reached = List.of();

        void add(Map<String, Parameter> named) {
            byName.putAll(named);
            named.forEach((name, parameter) -> parameters.put(name, parameter));
        }

        @Override
        protected NDList forwardInternal(
                ParameterStore store,
                NDList inputs,
                boolean training,
                PairList<String, Object> params) {
            NDArray sum = null;
            for (int i = 0; i < reached.size(); i++) {
                NDArray gradient = inputs.get(i);
                Parameter parameter = byName.get(reached.get(i));
                NDArray part =
                        gradient.mul(store.getValue(parameter, gradient.getDevice(), training))
                                .sum();
                sum = sum == null ? part : sum.add(part);
            }
            return new NDList(sum);
        }

        @Override
        public Shape[] getOutputShapes(Shape[] inputShapes) {
            return new Shape[] {new Shape()};
        }
    }
}
