package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.gson.JsonObject;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.Site;
import io.peft4j.safetensors.Dtype;
import io.peft4j.torch.BFloat16;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is foretold of a step's memory, against what the kernels keep. */
class StepMemoryTest {

    private static final int ROWS = 2;
    private static final int LENGTH = 9;

    private static Map<String, LowRankShape> shapes(
            ModelConfig config, AdapterConfig adapter, boolean dora, double dropout) {
        Map<String, LowRankShape> shapes = new HashMap<>();
        for (Site site : config.sites(adapter)) {
            shapes.put(site.path(), new LowRankShape(3, dora, dropout > 0));
        }
        return shapes;
    }

    /** Runs the layers forward as a training does, and weighs what backward would get. */
    private static long keptByKernels(CausalLm model) {
        try (NDManager scope = model.manager().newSubManager()) {
            Weights weights = model.weights(scope, true);
            NDArray ids = scope.zeros(new Shape(ROWS, LENGTH), DataType.INT64);
            Decoder decoder = model.block();
            try (EnginePass pass = decoder.beginLayers(weights);
                    LayerPass shared =
                            decoder.layerPass(
                                    scope, ids, decoder.read(scope, ids, null, null), null)) {
                NDArray table = decoder.embeddings();
                long element = bytes(table) / table.getShape().size();
                int hidden = decoder.architecture().hiddenSize();
                float[] zeros = new float[ROWS * LENGTH * hidden];
                NDArray embedded = scope.create(zeros, new Shape(ROWS, LENGTH, hidden));
                if (element == 2) {
                    embedded = BFloat16.of(scope, embedded);
                }
                long sum = bytes(embedded);
                for (StagePass stage : pass.stages()) {
                    try (TorchValue h = TorchValue.of(embedded);
                            StagePass.Forward forward = stage.forward(shared, h, true)) {
                        forward.takeOutput().close();
                        sum += forward.kept(scope).stream().mapToLong(StepMemoryTest::bytes).sum();
                    }
                }
                return sum;
            }
        }
    }

    private static long bytes(NDArray array) {
        int element = BFloat16.isBFloat16(array) ? 2 : array.getDataType().getNumOfBytes();
        return array.getShape().size() * element;
    }

    @ParameterizedTest
    @CsvSource({
        "llama,lora,0,F32",
        "llama,dora,0,F32",
        "llama,dora,0.3,F32",
        "llama,dora,0,BF16",
        "biased,lora,0.3,BF16",
        "qwen2,dora,0,F32",
        "mistral,lora,0,F32",
        "phi3,dora,0.3,F32",
        "openelm,lora,0,BF16",
        "openelm,dora,0.3,F32",
        "mixtral,lora,0,F32",
        "mixtral,dora,0.3,F32",
        "mixtral,dora,0,BF16"
    })
    void whatIsKeptIsToldToTheByte(String family, String method, double dropout, Dtype type) {
        AdapterConfig adapter = TinyAdapters.config(method, dropout, "all-linear");
        ModelConfig config = ModelConfig.of(TinyModels.json(family), family);
        try (CausalLm model = CausalLm.create(config, Device.cpu(), type, 7);
                AdaptedModel adapted = Adapters.attach(model.block(), adapter, 1)) {
            adapted.adapter().parameters().values().forEach(p -> p.freeze(false));
            StepMemory told = model.stepMemory(ROWS, LENGTH).orElseThrow();
            assertThat(told.kept(false)).isEqualTo(keptByKernels(model));
            long hidden = (long) ROWS * LENGTH * config.hiddenSize() * type.bytes();
            assertThat(told.kept(true)).isEqualTo(hidden * (config.layers().size() + 1));
            StepMemory without =
                    config.stepMemory(
                                    shapes(config, adapter, method.equals("dora"), dropout),
                                    Computation.of(type, Device.cpu()),
                                    ROWS,
                                    LENGTH)
                            .orElseThrow();
            assertThat(without.kept(false)).isEqualTo(told.kept(false));
            assertThat(without.peak(false)).isEqualTo(told.peak(false));
            assertThat(without.peak(true)).isEqualTo(told.peak(true)).isLessThan(told.peak(false));
        }
    }

    /** Which tokens an adapted expert gets is not known before. */
    @ParameterizedTest
    @CsvSource({"lora,0", "dora,0.3"})
    void ofUnequalExpertsAllTokensAreCountedForThoseThatKeepMost(String method, double dropout) {
        ModelConfig config = ModelConfig.of(TinyModels.json("mixtral"), "mixtral");
        String experts = "model.layers.0.block_sparse_moe.experts.";
        List<Long> told = new ArrayList<>();
        List<Long> kept = new ArrayList<>();
        for (int adapted = 1; adapted <= config.architecture().experts().count(); adapted++) {
            List<String> targets = new ArrayList<>();
            for (int expert = 0; expert < adapted; expert++) {
                targets.add(experts + expert + ".w2");
            }
            AdapterConfig adapter =
                    TinyAdapters.config(method, dropout, targets.toArray(String[]::new));
            try (CausalLm model = CausalLm.create(config, Device.cpu(), 7);
                    AdaptedModel attached = Adapters.attach(model.block(), adapter, 1)) {
                attached.adapter().parameters().values().forEach(p -> p.freeze(false));
                told.add(model.stepMemory(ROWS, LENGTH).orElseThrow().kept(false));
                kept.add(keptByKernels(model));
            }
        }
        assertThat(told.get(0)).isGreaterThan(kept.get(0));
        assertThat(told.get(1)).isGreaterThan(told.get(0)).isGreaterThanOrEqualTo(kept.get(1));
        // each token goes to two experts
        assertThat(told.get(2)).isEqualTo(told.get(1)).isGreaterThanOrEqualTo(kept.get(2));
        assertThat(told.get(3)).isEqualTo(told.get(1)).isEqualTo(kept.get(3));
    }

    /** One that all tokens have chosen makes at most what is told. */
    @ParameterizedTest
    @CsvSource({"lora,1,1", "dora,1,1", "lora,4,2"})
    void backwardOfExpertsIsToldForOneWithAllTokens(String method, int experts, int perToken) {
        JsonObject json = TinyModels.json("mixtral");
        json.addProperty("num_local_experts", experts);
        json.addProperty("num_experts_per_tok", perToken);
        ModelConfig config = ModelConfig.of(json, "mixtral");
        AdapterConfig adapter = TinyAdapters.config(method, 0, "w1", "w2", "w3");
        StepMemory mixture = told(config, adapter, method);
        json = TinyModels.json("llama");
        json.addProperty("intermediate_size", 16);
        adapter = TinyAdapters.config(method, 0, "gate_proj", "up_proj", "down_proj");
        StepMemory plain = told(ModelConfig.of(json, "llama"), adapter, method);
        assertThat(mixture.largestLayer(true))
                .isGreaterThan(plain.largestLayer(true))
                .isLessThan((perToken + 1) * plain.largestLayer(true));
        assertThat(mixture.peak(true)).isLessThan(mixture.peak(false));
    }

    private static StepMemory told(ModelConfig config, AdapterConfig adapter, String method) {
        return config.stepMemory(
                        shapes(config, adapter, method.equals("dora"), 0),
                        Computation.of(Dtype.F32, Device.cpu()),
                        ROWS,
                        LENGTH)
                .orElseThrow();
    }

    @Test
    void belowTheFirstAdaptedLayerNothingIsKept() {
        ModelConfig config = ModelConfig.of(TinyModels.json("llama"), "llama");
        LowRankShape shape = new LowRankShape(3, false, false);
        List<Long> kept = new ArrayList<>();
        for (String layer : new String[] {"0", "1"}) {
            String path = "model.layers." + layer + ".self_attn.q_proj";
            kept.add(
                    config.stepMemory(
                                    Map.of(path, shape),
                                    Computation.of(Dtype.F32, Device.cpu()),
                                    ROWS,
                                    LENGTH)
                            .orElseThrow()
                            .kept(false));
        }
        long hidden = (long) ROWS * LENGTH * config.hiddenSize() * Float.BYTES;
        long rank = (long) ROWS * LENGTH * 3 * Float.BYTES;
        // the second layer is as large as the first, and the embedded tokens count once
        assertThat(kept.get(0) - hidden - rank).isEqualTo(2 * (kept.get(1) - hidden - rank));
    }
}
