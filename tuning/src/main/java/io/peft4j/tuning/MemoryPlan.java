package io.peft4j.tuning;

import ai.djl.ndarray.types.Shape;
import io.peft4j.adapters.Site;
import io.peft4j.models.Computation;
import io.peft4j.models.LowRankShape;
import io.peft4j.models.ModelConfig;
import io.peft4j.models.StepMemory;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The memory that a training takes, foretold from shapes alone, in bytes. It is what the process
 * holds at its peak in the second step and later, in batches whose every token but the first of a
 * row has a label.
 *
 * @param weights the base's
 * @param adapters the adapters' parameters, and DoRA's norms
 * @param gradients one float32 per trained parameter
 * @param optimizer AdamW's two moments
 * @param byKernels whether layer kernels compute the layers, and not autograd, which keeps what it
 *     likes
 * @param step the activations; empty if they cannot be told
 */
public record MemoryPlan(
        long weights,
        long adapters,
        long gradients,
        long optimizer,
        boolean byKernels,
        Optional<StepMemory> step) {

    /**
     * What a process holds beside tensors: the JVM with its heap, libtorch's code, and what oneDNN
     * makes for itself. With a model of two tiny layers 237 MB were measured after 150 steps, on
     * Linux x86-64 with JDK 17 and the launcher's options; the rest is for kernels that it does not
     * call. On a GPU it is the host's.
     */
    public static final long FLOOR = 260_000_000;

    private static final int FLOAT = Float.BYTES;

    /** Norms that DoRA keeps per output: the base's, the current and the one before. */
    private static final int NORMS = 3;

    /**
     * Plans the training of an adapter.
     *
     * @param config the model
     * @param computation what the base is kept and computed in, where and with what
     * @param adapters what is added to which site
     * @param byKernels whether layer kernels can compute all of it, as far as the adapter's
     *     settings say; sites that are no linear layers, and dropout before the head, rule them out
     * @param rows the rows of a batch
     * @param length the tokens of its longest row
     * @return the plan
     */
    public static MemoryPlan of(
            ModelConfig config,
            Computation computation,
            Map<Site, LowRankShape> adapters,
            boolean byKernels,
            int rows,
            int length) {
        long trained = 0;
        long norms = 0;
        boolean linear = byKernels && config.hasLayerKernels();
        Map<String, LowRankShape> shapes = new LinkedHashMap<>();
        for (Map.Entry<Site, LowRankShape> entry : adapters.entrySet()) {
            Site site = entry.getKey();
            LowRankShape shape = entry.getValue();
            trained += shape.rank() * (site.inFeatures() + site.outFeatures());
            if (shape.magnitude()) {
                trained += site.outFeatures();
                norms += NORMS * site.outFeatures();
            }
            linear &= site.kind() == Site.Kind.LINEAR && !(site.outputHead() && shape.dropout());
            shapes.put(site.path(), shape);
        }
        return new MemoryPlan(
                config.parameterCount() * computation.type().bytes(),
                (trained + norms) * FLOAT,
                trained * FLOAT,
                2 * trained * FLOAT,
                linear,
                linear ? config.stepMemory(shapes, computation, rows, length) : Optional.empty());
    }

    /**
     * Plans the training of all weights, whose activations cannot be told.
     *
     * @param config the model
     * @return the plan
     */
    public static MemoryPlan full(ModelConfig config) {
        long trained = config.tensors().values().stream().mapToLong(Shape::size).sum() * FLOAT;
        return new MemoryPlan(trained, 0, trained, 2 * trained, false, Optional.empty());
    }

    /** Returns the bytes of gradients and of AdamW's state. */
    static long gradientsAndOptimizer(long trainedParameters) {
        return 3 * trainedParameters * FLOAT;
    }

    /**
     * Returns what lies in memory during all of the training, without activations.
     *
     * @return bytes
     */
    public long constant() {
        return weights + adapters + gradients + optimizer + FLOOR;
    }

    /**
     * Tells whether a training would compute layers again.
     *
     * @param wanted what its settings say
     * @param available the bytes at hand before anything is loaded; empty if nobody knows
     * @return the choice, and why
     * @throws CheckpointingUnavailableException if it is wanted where autograd computes the layers
     */
    public CheckpointingChoice checkpointing(GradientCheckpointing wanted, OptionalLong available) {
        return CheckpointingChoice.of(
                wanted, Optional.empty(), byKernels, step, constant() - FLOOR, available);
    }

    /**
     * Returns the peak.
     *
     * @param checkpointing whether layers are computed again in backward
     * @return bytes; empty if activations cannot be told
     */
    public OptionalLong peak(boolean checkpointing) {
        return step.isPresent()
                ? OptionalLong.of(constant() + step.get().peak(checkpointing))
                : OptionalLong.empty();
    }
}
