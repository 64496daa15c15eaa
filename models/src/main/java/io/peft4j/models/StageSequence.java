package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The stages of a layer as one, which is kept or computed again as a whole. */
final class StageSequence implements Stage {

    private final List<Stage> stages;

    StageSequence(List<Stage> stages) {
        this.stages = List.copyOf(stages);
    }

    @Override
    public @Nullable StagePass begin(Weights weights) {
        List<StagePass> begun = new ArrayList<>();
        for (Stage stage : stages) {
            StagePass pass = stage.begin(weights);
            if (pass == null) {
                begun.forEach(StagePass::close);
                return null;
            }
            begun.add(pass);
        }
        return new Sequence(begun);
    }

    @Override
    public List<StageMemory> memory(StepSize size, UpdateShapes updates) {
        return stages.stream().flatMap(stage -> stage.memory(size, updates).stream()).toList();
    }

    private record Sequence(List<StagePass> stages) implements StagePass {

        @Override
        public int changedLayers() {
            return stages.stream().mapToInt(StagePass::changedLayers).sum();
        }

        @Override
        public List<NDArray> trained() {
            List<NDArray> all = new ArrayList<>();
            stages.forEach(stage -> all.addAll(stage.trained()));
            return all;
        }

        @Override
        public List<NDArray> alwaysReached() {
            List<NDArray> all = new ArrayList<>();
            stages.forEach(stage -> all.addAll(stage.alwaysReached()));
            return all;
        }

        @Override
        public Forward forward(LayerPass pass, TorchValue h, boolean save) {
            List<Forward> forwards = new ArrayList<>();
            List<TorchValue> inputs = new ArrayList<>(List.of(h));
            try {
                for (StagePass stage : stages) {
                    int last = inputs.size() - 1;
                    Forward forward = stage.forward(pass, inputs.get(last), save);
                    forwards.add(forward);
                    inputs.add(forward.takeOutput());
                    if (!save) {
                        forward.close();
                        if (last > 0) {
                            inputs.get(last).close();
                        }
                    }
                }
                return new Computed(forwards, inputs);
            } catch (RuntimeException | Error e) {
                forwards.forEach(Forward::close);
                inputs.stream().skip(1).forEach(TorchValue::close);
                throw e;
            }
        }

        @Override
        public void close() {
            stages.forEach(StagePass::close);
        }
    }

    /**
     * What the stages gave.
     *
     * @param forwards one per stage
     * @param values the first one's input, which is the caller's, and each one's output
     */
    private record Computed(List<StagePass.Forward> forwards, List<TorchValue> values)
            implements StagePass.Forward {

        @Override
        public TorchValue takeOutput() {
            return values.get(forwards.size());
        }

        @Override
        public void backward(TorchValue h, TorchValue dh, boolean needInput) {
            for (int i = forwards.size() - 1; i >= 0; i--) {
                forwards.get(i).backward(i == 0 ? h : values.get(i), dh, needInput || i > 0);
                forwards.get(i).close(); // what it kept is needed no more
            }
        }

        @Override
        public NDList kept(NDManager owner) {
            NDList all = new NDList();
            forwards.forEach(forward -> all.addAll(forward.kept(owner)));
            return all;
        }

        @Override
        public void close() {
            forwards.forEach(StagePass.Forward::close);
            values.subList(1, forwards.size()).forEach(TorchValue::close);
        }
    }
}
