package io.peft4j.lora;

import io.peft4j.adapters.LinearGolden;
import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LoraGoldenTest {

    @ParameterizedTest
    @ValueSource(strings = {"lora", "lora_bias", "rslora"})
    void forwardGradientsAndMergeEqualPeft(String golden) throws IOException {
        LinearGolden.check(golden);
    }
}
