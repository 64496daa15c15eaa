package io.peft4j.torchscript;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Application;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.repository.MRL;
import ai.djl.repository.RemoteRepository;
import ai.djl.repository.Repository;
import ai.djl.repository.zoo.BaseModelLoader;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingResult;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.loss.Loss;
import ai.djl.training.tracker.Tracker;
import ai.djl.translate.NoopTranslator;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.torch.Tensors;
import io.peft4j.tuning.AdamWOptimizer;
import java.net.URI;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model that comes from a server is fine-tuned with DJL's own tools, served and loaded again. */
class HostedModelTest {

    private static final long HIDDEN = 24;
    private static final String FACTORY =
            "\"blockFactory\": \"io.peft4j.torchscript.TorchScriptBlockFactory\","
                    + " \"torchScriptRoot\": \"bert\"";

    @TempDir Path temporary;
    private String cacheBefore;
    private LoopbackZoo zoo;

    @BeforeEach
    void serve() throws Exception {
        cacheBefore = System.getProperty("DJL_CACHE_DIR");
        System.setProperty("DJL_CACHE_DIR", temporary.resolve("cache").toString());
        zoo = new LoopbackZoo(PeftGolden.archive("encoder/encoder"), FACTORY);
    }

    @AfterEach
    void stop() {
        zoo.close();
        if (cacheBefore == null) {
            System.clearProperty("DJL_CACHE_DIR");
        } else {
            System.setProperty("DJL_CACHE_DIR", cacheBefore);
        }
    }

    private static Criteria.Builder<NDList, NDList> criteria() {
        return Criteria.builder()
                .setTypes(NDList.class, NDList.class)
                .optEngine("PyTorch")
                .optTranslator(new NoopTranslator());
    }

    /** The address, metadata and checksums of a zoo. */
    private ZooModel<NDList, NDList> fromZoo() throws Exception {
        Repository repository = new RemoteRepository("loopback", URI.create(zoo.url() + "/"));
        MRL mrl =
                repository.model(
                        Application.NLP.TEXT_EMBEDDING, "io.peft4j.test", "encoder", "0.0.1");
        return new BaseModelLoader(mrl).loadModel(criteria().build());
    }

    /** An archive at an address, as most users have it. */
    private ZooModel<NDList, NDList> fromAddress() throws Exception {
        return criteria().optModelUrls(zoo.url() + "/plain/encoder.zip").build().loadModel();
    }

    @Test
    void aZoosModelIsTrainedServedSavedAndLoadedAgain() throws Exception {
        Path saved = temporary.resolve("adapter");
        float[] served;
        float[] test;
        try (ZooModel<NDList, NDList> model = fromZoo();
                NDManager data = NDManager.newBaseManager()) {
            assertThat(model.getBlock()).isInstanceOf(TorchScriptBlock.class);
            try (AdaptedModel adapted = adapt(model.getWrappedModel(), data)) {
                TrainingResult result = train(model.getWrappedModel(), data);
                assertThat(result.getTrainEvaluation("Accuracy")).isGreaterThan(0.9f);
                adapted.save(saved);
                served = predict(model.getWrappedModel(), data);
                adapted.merge();
                test = predict(model.getWrappedModel(), data);
            }
        }
        assertThat(test).hasSameSizeAs(served);
        for (int i = 0; i < served.length; i++) {
            assertThat(test[i]).isCloseTo(served[i], org.assertj.core.data.Offset.offset(1e-4f));
        }
        try (ZooModel<NDList, NDList> again = fromAddress();
                NDManager data = NDManager.newBaseManager()) {
            TorchScriptBlock block = TorchScriptBlock.replaceIn(again.getWrappedModel(), "bert");
            Model model = again.getWrappedModel();
            model.setBlock(withHead(block, data));
            try (AdaptedModel adapted = Adapters.load(model, saved)) {
                assertThat(adapted.adapter().config().method()).isEqualTo("dora");
                assertThat(predict(model, data)).containsExactly(served);
            }
        }
    }

    private static HostedClassifierBlock withHead(ai.djl.nn.Block encoder, NDManager manager) {
        HostedClassifierBlock classifier = new HostedClassifierBlock(encoder, HIDDEN, 2);
        classifier.initialize(manager, DataType.FLOAT32, new Shape(1, 8), new Shape(1, 8));
        return classifier;
    }

    private static AdaptedModel adapt(Model model, NDManager manager) {
        model.setBlock(withHead(model.getBlock(), manager));
        DoraConfig config =
                DoraConfig.builder()
                        .setRank(4)
                        .optAlpha(8)
                        .setTargetModules("query", "value", "dense")
                        .optModulesToSave("classifier")
                        .build();
        return Adapters.attach(model, config);
    }

    /** Whether token 5 is among the tokens. */
    private static ArrayDataset rows(NDManager manager) {
        Random random = new Random(3);
        long[] ids = new long[64 * 8];
        float[] labels = new float[64];
        for (int row = 0; row < 64; row++) {
            for (int i = 0; i < 8; i++) {
                ids[row * 8 + i] = 6 + random.nextInt(20);
            }
            labels[row] = row % 2;
            ids[row * 8 + 1 + random.nextInt(7)] = row % 2 == 0 ? 6 : 5;
        }
        return new ArrayDataset.Builder()
                .setData(
                        manager.create(ids, new Shape(64, 8)),
                        manager.ones(new Shape(64, 8), DataType.INT64))
                .optLabels(manager.create(labels))
                .setSampling(16, false)
                .build();
    }

    private static TrainingResult train(Model model, NDManager manager) throws Exception {
        DefaultTrainingConfig config =
                new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
                        .addEvaluator(new Accuracy())
                        .addTrainingListeners(TrainingListener.Defaults.basic())
                        .optOptimizer(
                                AdamWOptimizer.builder()
                                        .optLearningRateTracker(Tracker.fixed(1e-2f))
                                        .build());
        try (Trainer trainer = model.newTrainer(config)) {
            trainer.setMetrics(new Metrics());
            trainer.initialize(new Shape(16, 8), new Shape(16, 8));
            EasyTrain.fit(trainer, 12, rows(manager), null);
            return trainer.getTrainingResult();
        }
    }

    private static float[] predict(Model model, NDManager manager) throws Exception {
        NDArray ids = manager.arange(5, 21, 1, DataType.INT64).reshape(2, 8);
        try (Predictor<NDList, NDList> predictor = model.newPredictor(new NoopTranslator())) {
            NDList out =
                    predictor.predict(
                            new NDList(ids, manager.ones(ids.getShape(), DataType.INT64)));
            return Tensors.toFloats(out.singletonOrThrow());
        }
    }

    @Test
    void aServedModelKnowsItsModulesByTheirNames() throws Exception {
        try (ZooModel<NDList, NDList> model = fromZoo()) {
            assertThat(Adapters.sites(model.getBlock()))
                    .extracting(site -> site.path())
                    .contains(
                            "embeddings.word_embeddings",
                            "encoder.layer.1.attention.self.query",
                            "pooler.dense");
        }
    }
}
