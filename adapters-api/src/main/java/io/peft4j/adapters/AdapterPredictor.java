package io.peft4j.adapters;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.translate.TranslateException;
import ai.djl.translate.Translator;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A DJL predictor for requests that choose their adapters. Requests that are predicted together run
 * as one batch for each choice, and are answered in their order.
 *
 * <p>As any predictor of DJL it is for one thread; make one for each, on the same model. It does
 * not stream.
 *
 * @param <I> what the model's translator takes
 * @param <O> what it gives
 */
public final class AdapterPredictor<I, O> extends Predictor<AdapterRequest<I>, O> {

    /**
     * Creates a predictor.
     *
     * @param model the model, whose block is the adapted one
     * @param adapters its adapters
     * @param translator the translator that it has without adapters
     */
    public AdapterPredictor(Model model, AdaptedModel adapters, Translator<I, O> translator) {
        super(
                model,
                new AdapterTranslator<>(adapters, translator),
                model.getNDManager().getDevice(),
                false);
        if (!model.getBlock().equals(adapters.block())) {
            super.close();
            throw new IllegalArgumentException(
                    "the model's block is not the adapted one; attach adapters to the model, as"
                            + " Adapters.attach(model, config) does");
        }
    }

    /**
     * Predicts.
     *
     * @param requests the requests, of any choices
     * @return the answers, in the order of the requests
     * @throws TranslateException if a request names an adapter that is not there, or the prediction
     *     fails
     */
    @Override
    public List<O> batchPredict(List<AdapterRequest<I>> requests) throws TranslateException {
        Map<List<String>, List<Integer>> batches = new LinkedHashMap<>();
        for (int i = 0; i < requests.size(); i++) {
            batches.computeIfAbsent(requests.get(i).adapters(), choice -> new ArrayList<>()).add(i);
        }
        Map<Integer, O> inOrder = new TreeMap<>();
        for (List<Integer> rows : batches.values()) {
            List<O> answers = super.batchPredict(rows.stream().map(requests::get).toList());
            for (int i = 0; i < rows.size(); i++) {
                inOrder.put(rows.get(i), answers.get(i));
            }
        }
        return new ArrayList<>(inOrder.values());
    }

    /** {@inheritDoc} An adapter's choice would end before the stream. */
    @Override
    public boolean supportsStreaming() {
        return false;
    }
}
