package io.peft4j.models;

import java.util.List;
import java.util.stream.Collectors;

/** The families this library has. */
final class ModelFamilies {

    private static final List<ModelFamily> ALL =
            List.of(
                    new OpenElm(),
                    new Llama(),
                    new Mistral(),
                    new Mixtral(),
                    new Phi3(),
                    new Qwen2());

    private ModelFamilies() {}

    static ModelFamily of(ConfigJson config) {
        String modelType =
                config.string("model_type").orElseThrow(() -> config.missing("model_type"));
        return ALL.stream()
                .filter(family -> family.modelType().equals(modelType))
                .findFirst()
                .orElseThrow(
                        () ->
                                config.wrong(
                                        "model_type",
                                        "one of the supported families ("
                                                + ALL.stream()
                                                        .map(ModelFamily::modelType)
                                                        .collect(Collectors.joining(", "))
                                                + ")",
                                        "\"" + modelType + "\""));
    }
}
