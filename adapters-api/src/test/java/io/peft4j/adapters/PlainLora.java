package io.peft4j.adapters;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import com.google.gson.JsonElement;
import io.peft4j.torch.TextModule;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** LoRA in the fewest lines, so that the core is tested without its methods. */
record PlainLora(
        TargetModules targetModules,
        int rank,
        double scaling,
        TrainedInFull trainedInFull,
        boolean ensureWeightTying)
        implements AdapterConfig {

    private static final TextModule KERNELS =
            TextModule.compile(
                    """
                      def effective(self, w: Tensor, a: Tensor, b: Tensor, s: Tensor) -> Tensor:
                        return torch.add(w, torch.mul(torch.mm(b, a), s))
                      def update(self, x: Tensor, a: Tensor, b: Tensor, s: Tensor) -> Tensor:
                        return torch.mul(torch.linear(torch.linear(x, a), b), s)
                    """);

    static PlainLora of(TrainedInFull own, String... targets) {
        return new PlainLora(TargetModules.of(targets), 2, 2, own, false);
    }

    PlainLora tied() {
        return new PlainLora(targetModules, rank, scaling, trainedInFull, true);
    }

    static PlainLora read(Path directory) throws IOException {
        PeftConfig peft = AdapterFiles.readConfig(directory);
        int rank = peft.integer("r").orElseThrow();
        Map<String, List<Integer>> tokens = new LinkedHashMap<>();
        JsonElement indices = peft.json().get("trainable_token_indices");
        if (indices != null && indices.isJsonArray()) {
            tokens.put("", peft.integers("trainable_token_indices"));
        } else if (indices != null && indices.isJsonObject()) {
            indices.getAsJsonObject()
                    .asMap()
                    .forEach(
                            (name, rows) ->
                                    tokens.put(
                                            name,
                                            rows.getAsJsonArray().asList().stream()
                                                    .map(JsonElement::getAsInt)
                                                    .toList()));
        }
        TrainedInFull.Bias bias =
                switch (peft.string("bias").orElse("none")) {
                    case "all" -> TrainedInFull.Bias.ALL;
                    case "lora_only" -> TrainedInFull.Bias.ADAPTED;
                    default -> TrainedInFull.Bias.NONE;
                };
        return new PlainLora(
                TargetModules.read(peft),
                rank,
                peft.number("lora_alpha").orElseThrow() / rank,
                new TrainedInFull(bias, peft.strings("modules_to_save"), tokens),
                peft.flag("ensure_weight_tying"));
    }

    @Override
    public String method() {
        return "plain";
    }

    @Override
    public AdapterState create(Site site, NDArray weight, NDManager owner, long seed) {
        boolean embedding = site.kind() == Site.Kind.EMBEDDING;
        Parameter a = parameter(owner, rank, site.inFeatures(), !embedding);
        Parameter b = parameter(owner, site.outFeatures(), rank, embedding);
        NDArray s = owner.create((float) scaling);
        return new State(embedding, a, b, s);
    }

    private static Parameter parameter(NDManager owner, long rows, long columns, boolean random) {
        Parameter parameter =
                Parameter.builder()
                        .setName("p")
                        .setType(Parameter.Type.OTHER)
                        .optShape(new Shape(rows, columns))
                        .optInitializer(
                                (m, shape, type) ->
                                        random
                                                ? m.randomNormal(0, 0.3f, shape, type)
                                                : m.zeros(shape, type))
                        .build();
        parameter.initialize(owner, DataType.FLOAT32);
        return parameter;
    }

    @Override
    public PeftConfig toPeft() {
        return PeftConfig.builder("LORA").build();
    }

    private record State(boolean embedding, Parameter a, Parameter b, NDArray scale)
            implements AdapterState {

        @Override
        public Map<String, Parameter> parameters() {
            Map<String, Parameter> parameters = new LinkedHashMap<>();
            parameters.put(embedding ? "lora_embedding_A" : "lora_A.weight", a);
            parameters.put(embedding ? "lora_embedding_B" : "lora_B.weight", b);
            return parameters;
        }

        @Override
        public NDArray effectiveWeight(NDArray weight, ParameterStore store, boolean training) {
            return call("effective", weight, store, training);
        }

        @Override
        public NDArray linearUpdate(
                NDArray x, NDArray base, NDArray weight, ParameterStore store, boolean training) {
            return call("update", x, store, training);
        }

        private NDArray call(String name, NDArray x, ParameterStore store, boolean training) {
            return KERNELS.call(
                    x.getManager(),
                    name,
                    x,
                    store.getValue(a, x.getDevice(), training),
                    store.getValue(b, x.getDevice(), training),
                    scale);
        }

        @Override
        public Map<String, String> tiedKeys() {
            return embedding
                    ? Map.of(
                            "lora_A.weight",
                            "lora_embedding_B",
                            "lora_B.weight",
                            "lora_embedding_A")
                    : Map.of();
        }

        @Override
        public void close() {
            a.close();
            b.close();
            scale.close();
        }
    }
}
