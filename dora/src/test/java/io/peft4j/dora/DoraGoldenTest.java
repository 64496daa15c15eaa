package io.peft4j.dora;

import io.peft4j.adapters.LinearGolden;
import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DoraGoldenTest {

    @ParameterizedTest
    @ValueSource(strings = {"dora", "dora_bias", "dora_rslora"})
    void forwardGradientsAndMergeEqualPeft(String golden) throws IOException {
        LinearGolden.check(golden);
    }
}
