package io.peft4j.adapters;

import ai.djl.ndarray.NDList;
import ai.djl.translate.Batchifier;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorContext;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Lets each request of a DJL {@link ai.djl.inference.Predictor} choose its adapters. It wraps the
 * translator that the model has without them:
 *
 * <pre>{@code
 * Predictor<AdapterRequest<String>, Classifications> predictor =
 *         model.newPredictor(new AdapterTranslator<>(adapted, translator));
 * predictor.predict(AdapterRequest.of("a text", "customer-7"));
 * }</pre>
 *
 * <p>The choice holds from the translator's input to its output, so that a request is answered
 * whole by the adapters that were there when it began, also if one of them is swapped or deleted
 * meanwhile. Inputs that become one batch must choose the same; {@link AdapterPredictor} makes a
 * batch of each choice. Several predictors may share a translator if they may share the wrapped
 * one.
 *
 * @param <I> what the wrapped translator takes
 * @param <O> what it gives
 */
public final class AdapterTranslator<I, O> implements Translator<AdapterRequest<I>, O> {

    private static final String SCOPE = AdapterScope.class.getName();

    private final AdaptedModel adapters;
    private final Translator<I, O> translator;

    /**
     * Wraps a translator.
     *
     * @param adapters the adapters of the model that predicts
     * @param translator the model's translator
     */
    public AdapterTranslator(AdaptedModel adapters, Translator<I, O> translator) {
        this.adapters = adapters;
        this.translator = translator;
    }

    /** {@inheritDoc} */
    @Override
    public void prepare(TranslatorContext context) throws Exception {
        translator.prepare(context);
    }

    /** {@inheritDoc} It is the wrapped translator's. */
    @Override
    public @Nullable Batchifier getBatchifier() {
        return translator.getBatchifier();
    }

    /** {@inheritDoc} */
    @Override
    public NDList processInput(TranslatorContext context, AdapterRequest<I> request)
            throws Exception {
        choose(context, request.adapters());
        return translator.processInput(context, request.input());
    }

    /**
     * {@inheritDoc}
     *
     * @throws IllegalArgumentException if the requests choose different adapters
     */
    @Override
    public NDList batchProcessInput(TranslatorContext context, List<AdapterRequest<I>> requests)
            throws Exception {
        List<List<String>> choices =
                requests.stream().map(AdapterRequest::adapters).distinct().toList();
        if (choices.size() > 1) {
            throw new IllegalArgumentException(
                    "a batch has one choice of adapters, but these requests have "
                            + choices
                            + "; an AdapterPredictor makes a batch of each");
        }
        if (!choices.isEmpty()) {
            choose(context, choices.get(0));
        }
        return translator.batchProcessInput(
                context, requests.stream().map(AdapterRequest::input).toList());
    }

    /** {@inheritDoc} */
    @Override
    public O processOutput(TranslatorContext context, NDList outputs) throws Exception {
        O output = translator.processOutput(context, outputs);
        end(context);
        return output;
    }

    /** {@inheritDoc} */
    @Override
    public List<O> batchProcessOutput(TranslatorContext context, NDList outputs) throws Exception {
        List<O> all = translator.batchProcessOutput(context, outputs);
        end(context);
        return all;
    }

    /** A prediction that fails on its way ends its choice with the context, in the same thread. */
    private void choose(TranslatorContext context, List<String> names) {
        AdapterScope scope = adapters.use(names.toArray(String[]::new));
        context.getNDManager().attachInternal(UUID.randomUUID().toString(), scope);
        context.setAttachment(SCOPE, scope);
    }

    private static void end(TranslatorContext context) {
        if (context.getAttachment(SCOPE) instanceof AdapterScope scope) {
            scope.close();
        }
    }
}
