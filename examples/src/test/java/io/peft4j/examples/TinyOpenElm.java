package io.peft4j.examples;

import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A directory with a tiny OpenELM and a tokenizer. */
final class TinyOpenElm {

    private TinyOpenElm() {}

    static Path in(Path directory) throws IOException {
        Path model = Files.createDirectory(directory.resolve("model"));
        for (String name : List.of("config.json", "model.safetensors")) {
            Files.copy(TestData.path("golden/openelm/model/" + name), model.resolve(name));
        }
        for (String name : List.of("tokenizer.json", "tokenizer_config.json")) {
            Files.copy(TestData.path("golden/tokenizer/" + name), model.resolve(name));
        }
        return model;
    }
}
