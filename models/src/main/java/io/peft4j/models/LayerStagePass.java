package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;

/** A {@link LayerStage} in one pass. */
final class LayerStagePass implements StagePass {

    private final LayerStage stage;
    private final StageTensors base;
    private final List<GroupUpdates> updates;

    LayerStagePass(LayerStage stage, StageTensors base, List<GroupUpdates> updates) {
        this.stage = stage;
        this.base = base;
        this.updates = updates;
    }

    @Override
    public int changedLayers() {
        return updates.get(0).changedLayers() + updates.get(1).changedLayers();
    }

    @Override
    public List<NDArray> trained() {
        List<NDArray> all = new ArrayList<>(updates.get(0).trained());
        all.addAll(updates.get(1).trained());
        return all;
    }

    @Override
    public Forward forward(LayerPass pass, TorchValue h, boolean save) {
        try (Keeps keeps = new Keeps(pass)) {
            List<TorchValue> arguments = new ArrayList<>();
            arguments.add(h);
            addGroups(arguments, keeps);
            LayerStage.AttentionShape attention = stage.attention();
            if (attention != null) {
                arguments.add(pass.table());
                arguments.add(pass.mask(attention.layer()));
                arguments.add(pass.cache(attention.number()));
                arguments.add(pass.dims(attention));
            }
            arguments.add(stage.numbers());
            arguments.add(LayerPass.flag(save));
            return new Computed(
                    pass,
                    pass.kernels().infer(stage.kernel(), arguments.toArray(TorchValue[]::new)));
        }
    }

    private void addGroups(List<TorchValue> arguments, Keeps keeps) {
        arguments.add(base.norms());
        for (int group = 0; group < 2; group++) {
            GroupUpdates own = updates.get(group);
            arguments.add(base.weights(group));
            arguments.add(base.biases(group));
            arguments.add(own.tensors());
            arguments.add(own.layers());
            arguments.add(own.numbers());
            arguments.add(keeps.of.get(group));
        }
    }

    @Override
    public void close() {
        updates.forEach(GroupUpdates::close);
    }

    /** What dropout keeps of both groups' inputs, for one call. */
    private final class Keeps implements AutoCloseable {

        private final List<TorchValue> of = new ArrayList<>();

        Keeps(LayerPass pass) {
            for (int group = 0; group < 2; group++) {
                Shape input = new Shape(pass.tokens(), stage.width(group));
                of.add(updates.get(group).keeps(pass.owner(), input));
            }
        }

        @Override
        public void close() {
            of.forEach(GroupUpdates::free);
        }
    }

    /** The result, and what backward needs, as one list. */
    private final class Computed implements Forward {

        private final LayerPass pass;
        private final TorchValue saved;

        Computed(LayerPass pass, TorchValue saved) {
            this.pass = pass;
            this.saved = saved;
        }

        @Override
        public TorchValue takeOutput() {
            return pass.kernels().infer("first", saved);
        }

        @Override
        public void backward(TorchValue h, TorchValue dh, boolean needInput) {
            try (Keeps keeps = new Keeps(pass)) {
                List<TorchValue> arguments = new ArrayList<>();
                arguments.add(dh);
                arguments.add(h);
                arguments.add(saved);
                addGroups(arguments, keeps);
                LayerStage.AttentionShape attention = stage.attention();
                if (attention != null) {
                    arguments.add(pass.table());
                    arguments.add(pass.mask(attention.layer()));
                    arguments.add(pass.dims(attention));
                }
                arguments.add(stage.numbers());
                arguments.add(LayerPass.flag(needInput));
                pass.kernels()
                        .infer(stage.kernel() + "_backward", arguments.toArray(TorchValue[]::new))
                        .close();
            }
        }

        @Override
        public NDList kept(NDManager owner) {
            return saved.tensors(owner);
        }

        @Override
        public void close() {
            saved.close();
        }
    }
}
