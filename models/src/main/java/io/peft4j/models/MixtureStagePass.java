package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;

/** A {@link MixtureStage} in one pass. */
final class MixtureStagePass implements StagePass {

    private final MixtureStage stage;
    private final PassLinears linears;
    private boolean counted;

    MixtureStagePass(MixtureStage stage, PassLinears linears) {
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

    /** Returns none: an expert may be sent no token, or all of them if there is padding alone. */
    @Override
    public List<NDArray> alwaysReached() {
        return List.of();
    }

    @Override
    public Forward forward(LayerPass pass, TorchValue h, boolean save) {
        List<Part> parts = new ArrayList<>();
        try (TorchValue routed = route(pass, h)) {
            long[] counts = counts(pass, routed);
            long start = 0;
            for (int expert = 0; expert < counts.length; expert++) {
                if (counts[expert] > 0) {
                    parts.add(part(pass, routed, expert, start, counts[expert], save));
                    start += counts[expert];
                }
            }
            TorchValue saved = pass.kernels().infer("mixed", h, routed, LayerPass.flag(save));
            return new Computed(pass, save ? pass.kept(saved) : saved, parts);
        } catch (RuntimeException | Error e) {
            parts.forEach(Part::close);
            throw e;
        }
    }

    private TorchValue route(LayerPass pass, TorchValue h) {
        try (KernelCall call = new KernelCall(pass)) {
            return call.add(h, linears.norms())
                    .addGroup(linears, MixtureStage.ROUTER, pass.tokens())
                    .add(pass.sentTokens(), stage.perToken(), stage.numbers())
                    .infer("route");
        }
    }

    private long[] counts(LayerPass pass, TorchValue routed) {
        try (TorchValue values = pass.kernels().infer("tokens_of_experts", routed)) {
            long[] counts = values.longs();
            RouterBalance balance = pass.balance();
            if (balance != null && !counted) { // a layer that is computed again counts once
                balance.add(counts);
                counted = true;
            }
            return counts;
        }
    }

    private Part part(
            LayerPass pass, TorchValue routed, int expert, long start, long rows, boolean save) {
        TorchValue range = TorchValue.ofLongs(start, rows);
        try (KernelCall call = new KernelCall(pass)) {
            TorchValue kept =
                    addExpert(call.add(routed, range), expert, rows)
                            .add(LayerPass.flag(save))
                            .infer("expert");
            return new Part(expert, rows, range, save ? pass.kept(kept) : kept);
        } catch (RuntimeException | Error e) {
            range.close();
            throw e;
        }
    }

    private KernelCall addExpert(KernelCall call, int expert, long rows) {
        return call.addGroup(linears, MixtureStage.gateUp(expert), rows)
                .addGroup(linears, MixtureStage.down(expert), rows);
    }

    @Override
    public void close() {
        linears.close();
    }

    /**
     * An expert that was computed.
     *
     * @param expert its number
     * @param rows how many tokens it has
     * @param range where they begin among all that are sorted by expert, and how many they are
     * @param kept what its backward needs
     */
    private record Part(int expert, long rows, TorchValue range, TorchValue kept)
            implements AutoCloseable {

        @Override
        public void close() {
            range.close();
            kept.close();
        }
    }

    /** The result, what the router's backward needs, and the experts. */
    private final class Computed implements Forward {

        private final LayerPass pass;
        private final TorchValue saved;
        private final List<Part> parts;

        Computed(LayerPass pass, TorchValue saved, List<Part> parts) {
            this.pass = pass;
            this.saved = saved;
            this.parts = parts;
        }

        @Override
        public TorchValue takeOutput() {
            return pass.kernels().infer("first", saved);
        }

        @Override
        public void backward(TorchValue h, TorchValue dh, boolean needInput) {
            if (parts.isEmpty()) {
                return; // the result was h
            }
            FirstGradients.give(pass, reached());
            try (TorchValue begun = pass.kernels().infer("unmixed", h, saved, linears.norms())) {
                parts.forEach(part -> backward(part, dh, begun, needInput));
                if (needInput || !linears.trained(MixtureStage.ROUTER).isEmpty()) {
                    routeBackward(h, dh, begun, needInput);
                }
            }
        }

        private List<NDArray> reached() {
            List<NDArray> reached = new ArrayList<>(linears.trained(MixtureStage.ROUTER));
            for (Part part : parts) {
                reached.addAll(linears.trained(MixtureStage.gateUp(part.expert())));
                reached.addAll(linears.trained(MixtureStage.down(part.expert())));
            }
            return reached;
        }

        private void backward(Part part, TorchValue dh, TorchValue begun, boolean needInput) {
            try (KernelCall call = new KernelCall(pass)) {
                call.add(dh, saved, begun, part.kept(), part.range());
                addExpert(call, part.expert(), part.rows())
                        .add(LayerPass.flag(needInput))
                        .infer("expert_backward")
                        .close();
            }
        }

        private void routeBackward(
                TorchValue h, TorchValue dh, TorchValue begun, boolean needInput) {
            try (KernelCall call = new KernelCall(pass);
                    TorchValue slopes = RouterBalance.slopes(pass.balance())) {
                call.add(dh, h, saved, begun, linears.norms())
                        .addGroup(linears, MixtureStage.ROUTER, pass.tokens())
                        .add(pass.sentTokens(), slopes, LayerPass.flag(needInput))
                        .infer("route_backward")
                        .close();
            }
        }

        @Override
        public NDList kept(NDManager owner) {
            NDList all = saved.tensors(owner);
            parts.forEach(part -> all.addAll(part.kept().tensors(owner)));
            return all;
        }

        @Override
        public void close() {
            saved.close();
            parts.forEach(Part::close);
        }
    }
}
