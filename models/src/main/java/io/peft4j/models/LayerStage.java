package io.peft4j.models;

import ai.djl.nn.Parameter;
import io.peft4j.torch.TorchValue;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Half of a layer, h + f(norm(h)), whose forward is one kernel and whose backward is another,
 * written by hand: a norm, a group of linear layers, what is between, and a second group.
 */
final class LayerStage implements Stage {

    private final String kernel;
    private final StageLinears linears;
    private final @Nullable AttentionShape attention;
    private final TorchValue numbers; // some bytes, for the life of the process

    /**
     * What an attention has beside its layers.
     *
     * @param number which layer it is in
     * @param layer the sizes
     * @param headDim the width of a head
     */
    record AttentionShape(int number, LayerShape layer, int headDim) {}

    private LayerStage(
            String kernel,
            List<Parameter> norms,
            List<LinearGroup> groups,
            @Nullable AttentionShape attention,
            double... numbers) {
        this.kernel = kernel;
        linears = new StageLinears(norms, groups);
        this.attention = attention;
        this.numbers = TorchValue.ofDoubles(numbers);
    }

    /**
     * Describes an attention.
     *
     * @param norms the layer's, and those of queries and keys if there are any
     * @param queryKeyValue the projections to queries, keys and values, fused or not
     * @param output the projection back
     * @param shape the sizes
     * @param epsilon the norms'
     * @param amplitude what the rotary cosines and sines are multiplied by
     */
    static LayerStage attention(
            List<Parameter> norms,
            LinearGroup queryKeyValue,
            LinearGroup output,
            AttentionShape shape,
            double epsilon,
            double amplitude) {
        return new LayerStage(
                "attention",
                norms,
                List.of(queryKeyValue, output),
                shape,
                epsilon,
                1 / (amplitude * amplitude));
    }

    static LayerStage feedForward(
            Parameter norm, LinearGroup gateUp, LinearGroup down, double epsilon) {
        return new LayerStage("feed_forward", List.of(norm), List.of(gateUp, down), null, epsilon);
    }

    @Override
    public @Nullable StagePass begin(Weights weights) {
        PassLinears begun = linears.begin(weights);
        return begun == null ? null : new LayerStagePass(this, begun);
    }

    @Override
    public List<StageMemory> memory(StepSize size, UpdateShapes updates) {
        GroupSize first = linears.size(0, updates);
        GroupSize second = linears.size(1, updates);
        if (attention == null) {
            return List.of(KernelMemory.feedForward(size, first, second));
        }
        LayerShape layer = attention.layer();
        long dim = attention.headDim();
        KernelMemory.AttentionWidths widths =
                new KernelMemory.AttentionWidths(
                        first.in(),
                        layer.queryHeads(),
                        layer.queryHeads() * dim,
                        layer.keyValueHeads() * dim,
                        linears.norms() > 1);
        return List.of(KernelMemory.attention(size, widths, first, second));
    }

    String kernel() {
        return kernel;
    }

    @Nullable AttentionShape attention() {
        return attention;
    }

    TorchValue numbers() {
        return numbers;
    }
}
