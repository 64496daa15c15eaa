package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import io.peft4j.torch.Tensors;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An embedding and an output head that share a weight. */
class TiesTest {

    private static final String EMBEDDING = "model.embed_tokens";

    private final NDManager manager = NDManager.newBaseManager();

    @AfterEach
    void freeAll() {
        manager.close();
    }

    private BlockNet net() {
        BlockNet net = OwnNets.tiedLlama(manager);
        for (Parameter parameter : net.getParameters().values()) {
            try (NDArray values = manager.randomNormal(parameter.getShape())) {
                Tensors.copy(values, parameter.getArray());
            }
        }
        return net;
    }

    @Test
    void sitesOfBothNameEachOtherAndAllLinearLeavesTheHeadOut() {
        BlockNet net = net();
        Map<String, Site> sites = new LinkedHashMap<>();
        Adapters.sites(net).forEach(site -> sites.put(site.path(), site));
        assertThat(sites.get(EMBEDDING).tiedTo()).containsExactly("lm_head");
        assertThat(sites.get("lm_head").tiedTo()).containsExactly(EMBEDDING);
        assertThat(sites.get("lm_head").outputHead()).isTrue();
        PlainLora config =
                new PlainLora(
                        TargetModules.parse("all-linear"), 2, 2, TrainedInFull.NOTHING, false);
        assertThat(Adapters.dryRun(net, config))
                .extracting(Site::path)
                .hasSize(7)
                .doesNotContain("lm_head");
        assertThat(net.getParameters().values().stream().distinct()).hasSize(11);
    }

    @Test
    void keepingTiesPutsTheAdapterOnTheEmbeddingWhicheverIsNamed() {
        BlockNet net = net();
        for (String target : List.of("lm_head", "embed_tokens")) {
            PlainLora config = PlainLora.of(TrainedInFull.NOTHING, target).tied();
            assertThat(Adapters.dryRun(net, config))
                    .extracting(Site::path)
                    .containsExactly(EMBEDDING);
            try (AdaptedModel adapted = Adapters.attach(net, config)) {
                assertThat(adapted.keepsTied()).isTrue();
            }
        }
        try (AdaptedModel apart =
                Adapters.attach(net, PlainLora.of(TrainedInFull.NOTHING, "embed_tokens"))) {
            assertThat(apart.keepsTied()).isFalse();
        }
    }

    @Test
    void aMethodThatCannotBeKeptTiedIsRefused() {
        BlockNet net = net();
        Parameter table = net.parameter(EMBEDDING + ".weight");
        AdapterConfig other =
                new AdapterConfig() {
                    @Override
                    public String method() {
                        return "rows";
                    }

                    @Override
                    public TargetModules targetModules() {
                        return TargetModules.of("embed_tokens");
                    }

                    @Override
                    public boolean ensureWeightTying() {
                        return true;
                    }

                    @Override
                    public AdapterState create(Site site, NDArray w, NDManager owner, long seed) {
                        return new TokenRows(new BaseWeight(site, table), List.of(1), owner);
                    }

                    @Override
                    public PeftConfig toPeft() {
                        throw new UnsupportedOperationException();
                    }
                };
        assertThatThrownBy(() -> Adapters.attach(net, other))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("ensure_weight_tying")
                .hasMessageContaining("cannot be kept tied to lm_head");
    }

    @Test
    void adaptersOfEmbeddingAndHeadActTogetherEachInItsPlace() {
        BlockNet net = net();
        NDArray x = Tensors.of(manager, new long[] {1, 2, 3, 23}, new Shape(1, 4));
        try (AdaptedModel adapted =
                Adapters.attach(net, PlainLora.of(TrainedInFull.NOTHING, "embed_tokens"))) {
            adapted.add("head", PlainLora.of(TrainedInFull.NOTHING, "lm_head"));
            BlockNet.randomise(adapted.adapter("default"));
            BlockNet.randomise(adapted.adapter("head"));
            float[] embeddingOnly = run(net, adapted, x);
            adapted.activate("head");
            float[] headOnly = run(net, adapted, x);
            adapted.activate("default", "head");
            float[] both = run(net, adapted, x);
            assertThat(both).isNotEqualTo(embeddingOnly).isNotEqualTo(headOnly);
            assertThatThrownBy(adapted::merge)
                    .isInstanceOf(TiedWeightException.class)
                    .hasMessageContaining("untie them first");
            assertThat(run(net, adapted, x)).isEqualTo(both);
        }
    }

    @Test
    void aReplacedTableThatReachesTheHeadAndAnAdapterOfTheHeadAreNotActiveTogether() {
        BlockNet net = net();
        TrainedInFull whole =
                new TrainedInFull(TrainedInFull.Bias.NONE, List.of("embed_tokens"), Map.of());
        try (AdaptedModel adapted = Adapters.attach(net, PlainLora.of(whole, "q_proj").tied())) {
            adapted.add("head", PlainLora.of(TrainedInFull.NOTHING, "lm_head"));
            assertThatThrownBy(() -> adapted.activate("default", "head"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("replaces it whole");
        }
        try (AdaptedModel adapted = Adapters.attach(net, PlainLora.of(whole, "q_proj"))) {
            adapted.add("head", PlainLora.of(TrainedInFull.NOTHING, "lm_head"));
            adapted.activate("default", "head"); // apart, they are of different places
            assertThat(adapted.active()).containsExactly("default", "head");
        }
    }

    @Test
    void aTiedHeadNeedsTheShapeOfItsEmbedding() {
        AdaptableEmbedding embedding = new AdaptableEmbedding(24, 16, List.of());
        AdaptableLinear.Builder head =
                AdaptableLinear.builder().setFeatures(24, 16).optTiedTo(embedding);
        assertThatThrownBy(head::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("features of its embedding (24, 16), but were in=24, out=16");
    }

    @Test
    void copiesUnderTheHeadsNameMustAgreeWithTheEmbeddings(@TempDir Path directory)
            throws IOException {
        try (OwnGolden golden = OwnGolden.open("tied_embed_lora_ensured");
                AdaptedModel adapted =
                        Adapters.attach(golden.net(), PlainLora.read(golden.adapter()))) {
            String key = "base_model.model.lm_head.lora_A.weight";
            SavedTensors.change(golden.adapter(), directory, key, 1f);
            assertThatThrownBy(() -> adapted.adapter().load(directory))
                    .isInstanceOf(AdapterMismatchException.class)
                    .hasMessageContaining(
                            key
                                    + " expected the transpose of"
                                    + " base_model.model.model.embed_tokens.lora_embedding_B");
        }
    }

    @Test
    void aSavedBaseWeightOfAnotherModelIsWarnedOf(@TempDir Path directory) throws IOException {
        try (OwnGolden golden = OwnGolden.open("tied_embed_lora");
                AdaptedModel adapted =
                        Adapters.attach(golden.net(), PlainLora.read(golden.adapter()))) {
            assertThat(logged(() -> adapted.adapter().load(golden.adapter()))).isEmpty();
            String key = "base_model.model.model.embed_tokens.base_layer.weight";
            SavedTensors.change(golden.adapter(), directory, key, 0.5f);
            assertThat(logged(() -> adapted.adapter().load(directory)))
                    .contains(key + " is not the weight of this base model")
                    .contains("trained on another base");
        }
    }

    private interface Loading {
        void run() throws IOException;
    }

    private static String logged(Loading loading) throws IOException {
        PrintStream before = System.err;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        try {
            loading.run();
        } finally {
            System.setErr(before);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    private float[] run(BlockNet net, AdaptedModel adapted, NDArray x) {
        try (NDManager scope = manager.newSubManager()) {
            return net.run(adapted.block(), scope, x, false).toFloatArray();
        }
    }
}
