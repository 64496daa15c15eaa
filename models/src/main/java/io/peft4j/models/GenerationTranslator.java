package io.peft4j.models;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.LambdaBlock;
import ai.djl.translate.Batchifier;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorContext;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.RowAdapters;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * DJL's way to a language model: a {@link Predictor} from requests to texts.
 *
 * <pre>{@code
 * GenerationTranslator translator = new GenerationTranslator(model, tokenizer, adapted);
 * try (Model djl = translator.newModel();
 *         Predictor<GenerationRequest, GeneratedText> predictor = djl.newPredictor(translator)) {
 *     predictor.predict(GenerationRequest.builder().setPrompt("Hi").optAdapters("fr").build());
 * }
 * }</pre>
 *
 * <p>A text takes many passes through the model, and each request has its own adapters, so that the
 * DJL model only hands the prompts on, and the translator generates. Requests that are predicted
 * together run as one batch if they share the config, each with an adapter of its own or none;
 * requests that name several adapters, or leave it to those in effect, run with their like. Several
 * predictors may share a translator; a predictor is for one thread, as in DJL.
 */
public final class GenerationTranslator implements Translator<GenerationRequest, GeneratedText> {

    private final TextGenerator generator;
    private final @Nullable AdaptedModel adapters;

    /**
     * Creates a translator for a model without adapters, or whose adapters no request chooses.
     *
     * @param model the model
     * @param tokenizer its tokenizer
     */
    public GenerationTranslator(CausalLm model, Tokenizer tokenizer) {
        this(model, tokenizer, null);
    }

    /**
     * Creates a translator.
     *
     * @param model the model
     * @param tokenizer its tokenizer
     * @param adapters the adapters of the model that requests choose from; null for none
     */
    public GenerationTranslator(
            CausalLm model, Tokenizer tokenizer, @Nullable AdaptedModel adapters) {
        this.generator = new TextGenerator(model, tokenizer);
        this.adapters = adapters;
    }

    /**
     * Creates the model that makes predictors with this translator.
     *
     * @return a model without weights of its own; close it
     */
    public Model newModel() {
        Model model = Model.newInstance("generation", "PyTorch");
        model.setBlock(new LambdaBlock(prompts -> prompts, "prompts"));
        return model;
    }

    /** {@inheritDoc} Prompts differ in length: they become a batch in the generator. */
    @Override
    public @Nullable Batchifier getBatchifier() {
        return null;
    }

    /** {@inheritDoc} */
    @Override
    public NDList processInput(TranslatorContext context, GenerationRequest request) {
        return batchProcessInput(context, List.of(request));
    }

    /** {@inheritDoc} */
    @Override
    public GeneratedText processOutput(TranslatorContext context, NDList list) {
        return batchProcessOutput(context, list).get(0);
    }

    /** {@inheritDoc} */
    @Override
    public NDList batchProcessInput(TranslatorContext context, List<GenerationRequest> requests) {
        context.setAttachment("requests", List.copyOf(requests));
        NDManager manager = context.getNDManager();
        NDList prompts = new NDList();
        for (GenerationRequest request : requests) {
            long[] ids =
                    request.prompt().isPresent()
                            ? generator.tokenizer().encode(request.prompt().get(), true)
                            : generator.encode(request.messages());
            prompts.add(manager.create(ids, new Shape(ids.length)));
        }
        return prompts;
    }

    /** {@inheritDoc} */
    @Override
    public List<GeneratedText> batchProcessOutput(TranslatorContext context, NDList prompts) {
        List<?> requests = (List<?>) context.getAttachment("requests");
        Map<Shared, List<Integer>> batches = new LinkedHashMap<>();
        for (int i = 0; i < requests.size(); i++) {
            GenerationRequest request = (GenerationRequest) requests.get(i);
            batches.computeIfAbsent(
                            new Shared(
                                    config(request),
                                    hasOwn(request) ? Optional.empty() : request.adapters(),
                                    hasOwn(request)),
                            shared -> new ArrayList<>())
                    .add(i);
        }
        Map<Integer, GeneratedText> texts = new LinkedHashMap<>();
        batches.forEach(
                (shared, rows) -> {
                    List<long[]> ids =
                            rows.stream().map(row -> prompts.get(row).toLongArray()).toList();
                    List<String> names =
                            shared.own()
                                    ? rows.stream()
                                            .map(row -> own((GenerationRequest) requests.get(row)))
                                            .toList()
                                    : List.of();
                    List<GeneratedText> answers =
                            within(
                                    shared.adapters(),
                                    () ->
                                            generator.generate(
                                                    ids,
                                                    names,
                                                    shared.config(),
                                                    (row, text) -> {}));
                    for (int i = 0; i < rows.size(); i++) {
                        texts.put(rows.get(i), answers.get(i));
                    }
                });
        List<GeneratedText> inOrder = new ArrayList<>();
        for (int i = 0; i < requests.size(); i++) {
            inOrder.add(texts.get(i));
        }
        return inOrder;
    }

    /**
     * What requests must have in common to run together.
     *
     * @param config how tokens are chosen
     * @param adapters what is put into effect for them; empty for what is
     * @param own whether each has an adapter of its own
     */
    private record Shared(GenerationConfig config, Optional<List<String>> adapters, boolean own) {}

    /** Whether a request names one adapter or none, so that it can share a batch with others. */
    private boolean hasOwn(GenerationRequest request) {
        return adapters != null && request.adapters().map(names -> names.size() < 2).orElse(false);
    }

    private static String own(GenerationRequest request) {
        return request.adapters()
                .flatMap(names -> names.stream().findFirst())
                .orElse(RowAdapters.BASE);
    }

    private GenerationConfig config(GenerationRequest request) {
        GenerationConfig config = request.config();
        return config.eosIds().isEmpty()
                ? config.toBuilder().optEosIds(generator.eosIds()).build()
                : config;
    }

    private List<GeneratedText> within(
            Optional<List<String>> names, Supplier<List<GeneratedText>> generation) {
        if (names.isEmpty()) {
            return generation.get();
        }
        AdaptedModel adapted = adapters;
        if (adapted == null) {
            if (names.get().isEmpty()) {
                return generation.get();
            }
            throw new IllegalArgumentException(
                    "expected no adapters, because the translator was made without any, found "
                            + names.get());
        }
        try (AdapterScope scope =
                names.get().isEmpty()
                        ? adapted.disableAdapter()
                        : adapted.use(names.get().toArray(String[]::new))) {
            return generation.get();
        }
    }
}
