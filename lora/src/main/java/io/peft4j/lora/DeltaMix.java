package io.peft4j.lora;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.peft4j.torch.TextModule;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * Several changes of one weight made into one, element by element. As in PEFT, TIES elects its
 * signs before the weights are applied.
 *
 * @param rule how
 * @param density the share of elements that pruning keeps, in (0, 1]
 * @param majority how TIES elects
 */
record DeltaMix(CombinationRule rule, double density, MajoritySign majority) {

    static final TextModule KERNELS = TextModule.resource(DeltaMix.class, "combination.ts");

    /**
     * Combines.
     *
     * @param deltas the changes, of one shape
     * @param weights their weights
     * @param masks the 0/1 masks that {@link CombinationRule#draws} needs, one per change
     * @return the change, in the scope
     */
    NDArray of(NDManager scope, List<NDArray> deltas, List<Double> weights, List<NDArray> masks) {
        List<NDArray> kept = new ArrayList<>();
        for (int i = 0; i < deltas.size(); i++) {
            kept.add(pruned(scope, deltas.get(i), rule.draws() ? masks.get(i) : null));
        }
        return rule.elects() ? agreed(scope, kept, weights) : sum(kept, weights);
    }

    private NDArray pruned(NDManager scope, NDArray delta, @Nullable NDArray mask) {
        if (mask != null) {
            return delta.mul(mask).div(density);
        }
        long count = (long) (density * delta.size());
        if (!rule.prunes() || count == delta.size()) {
            return delta;
        }
        return KERNELS.call(scope, "keep_largest", delta, scope.create(count));
    }

    private static NDArray sum(List<NDArray> parts, List<Double> weights) {
        NDArray sum = parts.get(0).mul(weights.get(0));
        for (int i = 1; i < parts.size(); i++) {
            sum = sum.add(parts.get(i).mul(weights.get(i)));
        }
        return sum;
    }

    /** The mean over those that have the elected sign. */
    private NDArray agreed(NDManager scope, List<NDArray> kept, List<Double> weights) {
        NDArray votes = kept.get(0).zerosLike();
        for (NDArray part : kept) {
            votes = votes.add(majority == MajoritySign.TOTAL ? part : part.sign());
        }
        NDArray sum = kept.get(0).zerosLike();
        NDArray count = kept.get(0).zerosLike();
        for (int i = 0; i < kept.size(); i++) {
            NDArray agrees = KERNELS.call(scope, "agrees", kept.get(i), votes);
            sum = sum.add(kept.get(i).mul(weights.get(i)).mul(agrees));
            count = count.add(agrees);
        }
        return sum.div(count.maximum(1));
    }

    /** Draws a mask of zeros and ones, ones with the probability that is the density. */
    NDArray mask(NDManager scope, Shape shape, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        float[] mask = new float[Math.toIntExact(shape.size())];
        for (int i = 0; i < mask.length; i++) {
            mask[i] = random.nextDouble() < density ? 1 : 0;
        }
        return scope.create(mask, shape);
    }
}
