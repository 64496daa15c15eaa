package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Parameter;
import ai.djl.translate.Batchifier;
import ai.djl.translate.TranslateException;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorContext;
import io.peft4j.torch.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Requests that choose their adapters, through DJL's predictors. */
class AdapterPredictorTest {

    private static final float[] ROW = {1, 2, 3, 4};
    private static final float[] OTHER_ROW = {-1, 0, 2, 0};

    private final Model model = Classifier.model(1);
    private AdaptedModel adapted;

    @BeforeEach
    void attach() {
        adapted = Adapters.attach(model, MatrixUpdateConfig.of(2, Classifier.LAYERS));
        randomise(adapted.adapter());
        randomise(adapted.add("other", MatrixUpdateConfig.of(3, "04Linear")));
        adapted.activate();
    }

    @AfterEach
    void close() {
        adapted.close();
        model.close();
    }

    private static void randomise(Adapter adapter) {
        for (Parameter parameter : adapter.parameters().values()) {
            NDArray array = parameter.getArray();
            Tensors.copy(array.getManager().randomNormal(array.getShape()), array);
        }
    }

    /** A row of floats in, floats out; fails where it is told to. */
    private record Rows(@Nullable Batchifier batchifier) implements Translator<float[], float[]> {

        @Override
        public @Nullable Batchifier getBatchifier() {
            return batchifier;
        }

        @Override
        public NDList processInput(TranslatorContext context, float[] input) {
            if (Float.isNaN(input[0])) {
                throw new IllegalStateException("no number");
            }
            NDArray row = context.getNDManager().create(input);
            return new NDList(batchifier == null ? row.reshape(1, input.length) : row);
        }

        @Override
        public float[] processOutput(TranslatorContext context, NDList outputs) {
            return outputs.singletonOrThrow().toFloatArray();
        }
    }

    private static final Rows STACKED = new Rows(Batchifier.STACK);

    /** What a plain predictor in a scope gives. */
    private float[] expected(float[] row, String... names) throws TranslateException {
        try (AdapterScope scope = adapted.use(names);
                Predictor<float[], float[]> predictor = model.newPredictor(STACKED)) {
            return predictor.predict(row);
        }
    }

    /** A batch of another size may round otherwise. */
    private static void assertClose(float[] found, float[] expected) {
        assertThat(distance(found, expected)).isLessThan(1e-5f);
    }

    private static float distance(float[] one, float[] other) {
        assertThat(one).hasSameSizeAs(other);
        float largest = 0;
        for (int i = 0; i < one.length; i++) {
            largest = Math.max(largest, Math.abs(one[i] - other[i]));
        }
        return largest;
    }

    @Test
    void requestsOfAnyChoiceAreAnsweredTogetherInTheirOrder() throws Exception {
        try (AdapterPredictor<float[], float[]> predictor =
                new AdapterPredictor<>(model, adapted, STACKED)) {
            List<float[]> answers =
                    predictor.batchPredict(
                            List.of(
                                    AdapterRequest.of(ROW, "other"),
                                    AdapterRequest.of(ROW),
                                    AdapterRequest.of(OTHER_ROW, "other"),
                                    AdapterRequest.of(ROW, AdaptedModel.DEFAULT, "other")));
            assertClose(answers.get(0), expected(ROW, "other"));
            assertClose(answers.get(1), expected(ROW));
            assertClose(answers.get(2), expected(OTHER_ROW, "other"));
            assertClose(answers.get(3), expected(ROW, AdaptedModel.DEFAULT, "other"));
            assertThat(distance(answers.get(0), answers.get(1))).isGreaterThan(1e-2f);
            assertThat(distance(answers.get(0), answers.get(3))).isGreaterThan(1e-2f);
            assertThat(predictor.batchPredict(List.of())).isEmpty();
        }
        adapted.merge(); // refused while a scope is open
    }

    @Test
    void djlsOwnPredictorTakesTheTranslator() throws Exception {
        try (Predictor<AdapterRequest<float[]>, float[]> predictor =
                        model.newPredictor(new AdapterTranslator<>(adapted, STACKED));
                Predictor<AdapterRequest<float[]>, float[]> single =
                        model.newPredictor(new AdapterTranslator<>(adapted, new Rows(null)))) {
            assertThat(predictor.predict(AdapterRequest.of(ROW, "other")))
                    .isEqualTo(expected(ROW, "other"));
            List<AdapterRequest<float[]>> alike =
                    List.of(AdapterRequest.of(OTHER_ROW, "other"), AdapterRequest.of(ROW, "other"));
            assertClose(predictor.batchPredict(alike).get(0), expected(OTHER_ROW, "other"));
            // without a batchifier each request is a pass of its own, and may choose for itself
            List<AdapterRequest<float[]>> mixed =
                    List.of(AdapterRequest.of(ROW, "other"), AdapterRequest.of(ROW));
            List<float[]> answers = single.batchPredict(mixed);
            assertClose(answers.get(0), expected(ROW, "other"));
            assertClose(answers.get(1), expected(ROW));
            assertThatThrownBy(() -> predictor.batchPredict(mixed))
                    .isInstanceOf(TranslateException.class)
                    .hasRootCauseInstanceOf(IllegalArgumentException.class)
                    .hasStackTraceContaining("AdapterPredictor makes a batch of each");
        }
        adapted.merge();
    }

    @Test
    void aRequestThatFailsEndsItsChoice() throws Exception {
        float[] none = {Float.NaN, 0, 0, 0};
        try (AdapterPredictor<float[], float[]> predictor =
                new AdapterPredictor<>(model, adapted, STACKED)) {
            assertThatThrownBy(() -> predictor.predict(AdapterRequest.of(none, "other")))
                    .hasStackTraceContaining("no number");
            assertThatThrownBy(() -> predictor.predict(AdapterRequest.of(ROW, "nobody")))
                    .hasStackTraceContaining("there is no adapter nobody");
            assertThatThrownBy(
                            () -> predictor.predict(AdapterRequest.of(new float[] {1, 2}, "other")))
                    .isInstanceOf(TranslateException.class); // the pass itself
            assertThat(adapted.active()).isEmpty();
            assertThat(predictor.predict(AdapterRequest.of(ROW))).isEqualTo(expected(ROW));
        }
        adapted.merge();
    }

    @Test
    void sixteenThreadsGetTheirOwnAdaptersWhileOthersComeAndGo() throws Exception {
        List<float[]> expected =
                List.of(expected(ROW), expected(ROW, AdaptedModel.DEFAULT), expected(ROW, "other"));
        List<AdapterRequest<float[]>> requests =
                List.of(
                        AdapterRequest.of(ROW),
                        AdapterRequest.of(ROW, AdaptedModel.DEFAULT),
                        AdapterRequest.of(ROW, "other"));
        int before = model.getNDManager().getManagedArrays().size();
        ExecutorService threads = Executors.newFixedThreadPool(16);
        List<Future<?>> all = new ArrayList<>();
        for (int t = 0; t < 16; t++) {
            int first = t;
            all.add(
                    threads.submit(
                            () -> {
                                try (AdapterPredictor<float[], float[]> predictor =
                                        new AdapterPredictor<>(model, adapted, STACKED)) {
                                    for (int i = 0; i < 30; i++) {
                                        int which = (first + i) % 3;
                                        assertThat(predictor.predict(requests.get(which)))
                                                .isEqualTo(expected.get(which));
                                    }
                                }
                                return null;
                            }));
        }
        for (int i = 0; i < 20; i++) {
            adapted.add("third", MatrixUpdateConfig.of(1 + i % 3, "01Linear"));
            adapted.activate("third");
            adapted.delete("third");
        }
        for (Future<?> one : all) {
            one.get();
        }
        threads.shutdown();
        assertThat(model.getNDManager().getManagedArrays()).hasSize(before);
    }

    @Test
    void anotherModelsAdaptersAreRefused() {
        try (Model plain = Classifier.model(2)) {
            assertThatThrownBy(() -> new AdapterPredictor<>(plain, adapted, STACKED))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("Adapters.attach(model, config)");
        }
    }
}
