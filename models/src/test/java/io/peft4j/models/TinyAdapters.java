package io.peft4j.models;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterConfig;
import io.peft4j.adapters.Adapters;
import io.peft4j.dora.DoraConfig;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.TorchValue;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Adapters of rank 3 for {@link TinyModels}, and what became of their gradients. */
final class TinyAdapters {

    private TinyAdapters() {}

    static AdapterConfig config(String method, double dropout, String... targets) {
        return method.equals("lora")
                ? LoraConfig.builder()
                        .setRank(3)
                        .optAlpha(5)
                        .optDropout(dropout)
                        .setTargetModules(targets)
                        .build()
                : DoraConfig.builder()
                        .setRank(3)
                        .optAlpha(5)
                        .optDropout(dropout)
                        .setTargetModules(targets)
                        .build();
    }

    /** Attaches an adapter none of whose matrices is zero. */
    static AdaptedModel attach(CausalLm model, String method, double dropout, String... targets) {
        AdaptedModel adapted = Adapters.attach(model.block(), config(method, dropout, targets), 1);
        TrainingGradientTest.randomise(model, adapted);
        return adapted;
    }

    /** Returns the gradients by name, and zeroes them. */
    static Map<String, float[]> takeGradients(AdaptedModel adapted) {
        return TrainingGradientTest.takeGradients(adapted.adapter().parameters());
    }

    /** Returns the parameters that hold no gradient, not even one of zeros. */
    static List<String> withoutGradient(AdaptedModel adapted) {
        List<String> names = new ArrayList<>();
        adapted.adapter()
                .parameters()
                .forEach(
                        (name, parameter) -> {
                            NDArray array = parameter.getArray();
                            try (NDManager scope = NDManager.newBaseManager();
                                    TorchValue leaf = TorchValue.of(List.of(array));
                                    TorchValue bare =
                                            MatrixProduct.LINEAR.kernels().infer("bare", leaf)) {
                                if (!bare.tensors(scope).isEmpty()) {
                                    names.add(name);
                                }
                            }
                        });
        return names;
    }
}
