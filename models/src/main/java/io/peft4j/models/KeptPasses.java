package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The last passes without backward, with what was prepared of their adapters: all tokens of a
 * generation use one. Each is kept until one of its adapters or weights is written to, becomes
 * another array or is freed.
 */
final class KeptPasses {

    /** As many sets of adapters may take turns, in one thread or in several. */
    private static final int MOST = 4;

    private final List<Parameter> base;
    private final List<KeptPass> kept = new ArrayList<>(); // the last used one last

    /**
     * Keeps nothing yet.
     *
     * @param base the parameters of the model
     */
    KeptPasses(List<Parameter> base) {
        this.base = base;
    }

    /**
     * Gives the kept pass, or makes and keeps one.
     *
     * @param weights how parameters are read
     * @param begin makes a pass; null if it is for autograd
     * @return a use of the pass, to close
     */
    @Nullable EnginePass of(Weights weights, Supplier<@Nullable EnginePass> begin) {
        List<Parameter> sources = new ArrayList<>();
        List<Integer> layout = new ArrayList<>();
        for (Weights.Part part : weights.partsOrWhole()) {
            List<Parameter> own = AdaptedModel.sources(part.weights().store());
            sources.addAll(own);
            layout.addAll(List.of(part.start(), part.count(), own.size()));
        }
        KeptPass.Key key = new KeptPass.Key(layout, arrays(base), arrays(sources));
        EnginePass known = find(key);
        if (known != null) {
            return known;
        }
        KeptPass.Written before = KeptPass.Written.now(key); // what is written from here on is seen
        EnginePass made = begin.get();
        if (made == null) {
            before.close();
            return null;
        }
        return keep(new KeptPass(key, before, made, this::remove));
    }

    private static List<NDArray> arrays(List<Parameter> parameters) {
        List<NDArray> arrays = new ArrayList<>(parameters.size());
        for (Parameter parameter : parameters) {
            arrays.add(parameter.getArray());
        }
        return arrays;
    }

    private synchronized @Nullable EnginePass find(KeptPass.Key key) {
        for (int i = kept.size() - 1; i >= 0; i--) {
            KeptPass pass = kept.get(i);
            if (pass.isOf(key)) {
                if (pass.isStale()) {
                    pass.close();
                    return null;
                }
                kept.remove(i);
                kept.add(pass);
                return pass.use();
            }
        }
        return null;
    }

    private synchronized EnginePass keep(KeptPass pass) {
        EnginePass use = pass.use();
        kept.add(pass);
        pass.attach();
        if (kept.size() > MOST) {
            kept.get(0).close();
        }
        return use;
    }

    private synchronized void remove(KeptPass pass) {
        kept.remove(pass);
    }
}
