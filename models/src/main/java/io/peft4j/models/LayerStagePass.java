package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.TorchValue;
import java.util.List;

/** A {@link LayerStage} in one pass. */
final class LayerStagePass implements StagePass {

    private final LayerStage stage;
    private final PassLinears linears;

    LayerStagePass(LayerStage stage, PassLinears linears) {
        this.stage = stage;
        this.linears = linears;
    }

    @Override
    public int changedLayers() {
        return linears.changedLayers();
    }

    @Override
    public List<NDArray> trained() {
        return linears.trained();
    }

    @Override
    public Forward forward(LayerPass pass, TorchValue h, boolean save) {
        try (KernelCall call = new KernelCall(pass)) {
            call.add(h);
            addGroups(call, pass);
            LayerStage.AttentionShape attention = stage.attention();
            if (attention != null) {
                call.add(
                        pass.table(),
                        pass.mask(attention.layer()),
                        pass.cache(attention.number()),
                        pass.dims(attention));
            } else {
                call.add(save ? pass.spare(h, linears.width(1)) : LayerPass.NONE);
            }
            call.add(stage.numbers(), LayerPass.flag(save));
            TorchValue results = call.infer(stage.kernel());
            return new Computed(pass, save ? pass.kept(results) : results);
        }
    }

    private void addGroups(KernelCall call, LayerPass pass) {
        call.add(linears.norms());
        call.addGroup(linears, 0, pass.tokens());
        call.addGroup(linears, 1, pass.tokens());
    }

    @Override
    public void close() {
        linears.close();
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
            try (KernelCall call = new KernelCall(pass)) {
                call.add(dh, h, saved);
                addGroups(call, pass);
                LayerStage.AttentionShape attention = stage.attention();
                if (attention != null) {
                    call.add(pass.table(), pass.mask(attention.layer()), pass.dims(attention));
                }
                call.add(stage.numbers(), LayerPass.flag(needInput));
                call.infer(stage.kernel() + "_backward").close();
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
