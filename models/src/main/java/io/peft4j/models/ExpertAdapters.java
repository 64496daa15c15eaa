package io.peft4j.models;

import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterMismatchException;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.SavedAdapter;
import java.io.IOException;
import java.nio.file.Path;

/**
 * LoRA adapters of Mixtral's experts in PEFT's two layouts.
 *
 * <p>On transformers 4, and here, an expert's {@code w1}, {@code w2} and {@code w3} have adapters
 * of their own. On transformers 5 the experts of a layer are two parameters, and PEFT writes one
 * adapter for each, named by {@code target_parameters}: {@code gate_up_proj} for w1 above w3, and
 * {@code down_proj} for w2, with A (experts · r, in) and B (out, r · experts); and {@code
 * gate.weight} for the router.
 *
 * <p>Both layouts {@linkplain io.peft4j.adapters.Adapters#load load}; what is saved is one adapter
 * per expert. {@link #fuse} writes a saved adapter in the other layout, {@link #split} the reverse.
 * A fused pair that was made of two comes apart into those two. One that was trained fused shares
 * its A between w1 and w3: both get the whole of it, which computes the same; trained on, they
 * part.
 */
public final class ExpertAdapters {

    private ExpertAdapters() {}

    /**
     * Tells whether an adapter has the fused layout.
     *
     * @param directory an adapter's directory
     * @return whether its config names target parameters
     * @throws IOException if the config cannot be read
     */
    public static boolean isFused(Path directory) throws IOException {
        return !PeftConfig.read(directory).strings("target_parameters").isEmpty();
    }

    /**
     * Copies a fused adapter to the layout of one adapter per expert.
     *
     * @param fused the adapter's directory
     * @param target where the copy goes; all its files are replaced, or none
     * @param model the base model's config
     * @throws AdapterConfigException if the model has no experts, or not the parameters that the
     *     adapter is for
     * @throws AdapterMismatchException if the tensors are not those of the model's experts
     * @throws IOException if reading or writing fails
     */
    public static void split(Path fused, Path target, ModelConfig model) throws IOException {
        ExpertModules modules = modules(fused, model);
        SavedAdapter.copy(fused, target, saved -> ExpertSplit.of(saved, modules));
    }

    /**
     * Copies an adapter of single experts to the fused layout, as PEFT converts it, with each
     * layer's own ranks and alphas. The copy's {@code lora_dropout} is 0, since PEFT has none on
     * parameters.
     *
     * @param perExpert the adapter's directory
     * @param target where the copy goes; all its files are replaced, or none
     * @param model the base model's config
     * @throws AdapterConfigException if the model has no experts, or PEFT has no such adapter of
     *     fused ones: DoRA, w1 without w3 or of another scaling, experts of a layer that differ in
     *     rank or alpha
     * @throws AdapterMismatchException if the tensors are not those of the settings, or some
     *     experts of a layer have none
     * @throws IOException if reading or writing fails
     */
    public static void fuse(Path perExpert, Path target, ModelConfig model) throws IOException {
        ExpertModules modules = modules(perExpert, model);
        SavedAdapter.copy(perExpert, target, saved -> ExpertFusion.of(saved, modules));
    }

    private static ExpertModules modules(Path adapter, ModelConfig model) {
        Architecture architecture = model.architecture();
        Experts experts = architecture.experts();
        if (experts == null) {
            throw new AdapterConfigException(
                    adapter + ": expected a model of experts, found " + model.modelType());
        }
        return ExpertModules.of(architecture, experts, model.tensors().keySet());
    }
}
