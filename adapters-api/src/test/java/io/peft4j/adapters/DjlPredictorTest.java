package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorContext;
import io.peft4j.torch.GradMode;
import io.peft4j.torch.Gradients;
import io.peft4j.torch.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** DJL's Predictor serves an adapted model like any other. */
class DjlPredictorTest {

    private static final int THREADS = 4;

    private final Model model = Classifier.model(1);
    private final NDManager data = NDManager.newBaseManager();

    @AfterEach
    void close() {
        model.close();
        data.close();
    }

    private AdaptedModel attach() {
        AdaptedModel adapted = Adapters.attach(model, MatrixUpdateConfig.of(2, Classifier.LAYERS));
        randomise(adapted.adapter());
        return adapted;
    }

    private static void randomise(Adapter adapter) {
        for (Parameter parameter : adapter.parameters().values()) {
            NDArray array = parameter.getArray();
            Tensors.copy(array.getManager().randomNormal(array.getShape()), array);
        }
    }

    /** A row of floats in, floats out; refuses outputs that a graph hangs on. */
    private static final class Rows implements Translator<float[], float[]> {

        @Override
        public NDList processInput(TranslatorContext context, float[] input) {
            return new NDList(context.getNDManager().create(input));
        }

        @Override
        public float[] processOutput(TranslatorContext context, NDList outputs) {
            NDArray y = outputs.singletonOrThrow();
            assertThat(JniUtils.requiresGrad((PtNDArray) y)).isFalse();
            return y.toFloatArray();
        }
    }

    private static final List<float[]> ROWS =
            List.of(new float[] {1, 2, 3, 4}, new float[] {-1, 0, 2, 0}, new float[] {0, 0, 1, 1});

    @Test
    void batchesOfATranslatorAreTheAdaptedModels() throws Exception {
        try (AdaptedModel adapted = attach();
                Predictor<float[], float[]> predictor = model.newPredictor(new Rows())) {
            List<float[]> batch = predictor.batchPredict(ROWS);
            NDArray x = data.create(new float[] {1, 2, 3, 4, -1, 0, 2, 0, 0, 0, 1, 1});
            float[] direct =
                    adapted.block()
                            .forward(
                                    new ParameterStore(data, false),
                                    new NDList(x.reshape(3, 4)),
                                    false)
                            .singletonOrThrow()
                            .toFloatArray();
            for (int i = 0; i < 3; i++) {
                assertThat(batch.get(i)).containsExactly(direct[2 * i], direct[2 * i + 1]);
            }
        }
    }

    @Test
    void severalThreadsPredictTheSameWithoutGraphsAndWithTheAdapterOfTheirScope() throws Exception {
        try (AdaptedModel adapted = attach()) {
            randomise(adapted.add("other", MatrixUpdateConfig.of(3, "04Linear")));
            List<List<float[]>> expected =
                    List.of(predict(adapted, AdaptedModel.DEFAULT), predict(adapted, "other"));
            assertThat(expected.get(0).get(0)).isNotEqualTo(expected.get(1).get(0));
            ExecutorService threads = Executors.newFixedThreadPool(THREADS);
            List<CompletableFuture<Void>> runs = new ArrayList<>();
            for (int t = 0; t < THREADS; t++) {
                int which = t % 2;
                String name = which == 0 ? AdaptedModel.DEFAULT : "other";
                runs.add(
                        CompletableFuture.runAsync(
                                () -> {
                                    for (int i = 0; i < 30; i++) {
                                        List<float[]> found = predict(adapted, name);
                                        for (int row = 0; row < ROWS.size(); row++) {
                                            assertThat(found.get(row))
                                                    .isEqualTo(expected.get(which).get(row));
                                        }
                                    }
                                },
                                threads));
            }
            for (CompletableFuture<Void> run : runs) {
                run.get();
            }
            threads.shutdown();
        }
    }

    private List<float[]> predict(AdaptedModel adapted, String name) {
        try (AdapterScope use = adapted.use(name);
                Predictor<float[], float[]> predictor = model.newPredictor(new Rows())) {
            return predictor.batchPredict(ROWS);
        } catch (ai.djl.translate.TranslateException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void fiftyPredictionsLeaveNoArraysBehind() throws Exception {
        try (AdaptedModel adapted = attach();
                Predictor<NDList, NDList> predictor = model.newPredictor(new NoopTranslator())) {
            int before = predictAndCount(predictor);
            for (int i = 0; i < 50; i++) {
                assertThat(predictAndCount(predictor)).isEqualTo(before);
            }
            assertThat(adapted.names()).hasSize(1);
        }
    }

    private int predictAndCount(Predictor<NDList, NDList> predictor) throws Exception {
        try (NDManager batch = data.newSubManager()) {
            predictor.predict(new NDList(batch.ones(new Shape(2, Classifier.IN)))).close();
        }
        return model.getNDManager().getManagedArrays().size();
    }

    @Test
    void threadsShareABertModelWhoseEmbeddingsMoveTheirTables() throws Exception {
        Block bert = DjlBlocks.bert();
        NDList tokens = DjlBlocks.tokens(data);
        bert.initialize(data, DataType.FLOAT32, tokens.getShapes());
        try (AdaptedModel adapted = Adapters.attach(bert, MatrixUpdateConfig.of(2, "01Linear"))) {
            randomise(adapted.adapter());
            float[] expected = bert(adapted.block(), tokens);
            ExecutorService threads = Executors.newFixedThreadPool(THREADS);
            List<CompletableFuture<Void>> runs = new ArrayList<>();
            for (int t = 0; t < THREADS; t++) {
                runs.add(
                        CompletableFuture.runAsync(
                                () -> {
                                    for (int i = 0; i < 40; i++) {
                                        assertThat(bert(adapted.block(), tokens))
                                                .isEqualTo(expected);
                                    }
                                },
                                threads));
            }
            for (CompletableFuture<Void> run : runs) {
                run.get();
            }
            threads.shutdown();
        }
    }

    private float[] bert(Block block, NDList tokens) {
        try (NDManager batch = data.newSubManager()) {
            NDList own = new NDList();
            tokens.forEach(t -> own.add(Tensors.clone(batch, t)));
            NDList outputs = block.forward(new ParameterStore(batch, false), own, false);
            return outputs.get(1).toFloatArray();
        }
    }

    @Test
    void gradientsOfAPredictionAreThereForWhoAsksForThem() {
        try (AdaptedModel adapted = attach();
                GradMode on = GradMode.enabled()) {
            NDArray x = data.ones(new Shape(2, Classifier.IN));
            x.setRequiresGradient(true);
            NDArray y =
                    adapted.block()
                            .forward(new ParameterStore(data, false), new NDList(x), false)
                            .singletonOrThrow();
            Gradients.backward(y, y.onesLike());
            assertThat(x.getGradient().abs().sum().getFloat()).isPositive();
        }
    }
}
