package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class TokenSamplerGoldenTest {

    private record Case(
            Map<String, Double> settings, float[] logits, long[] ids, double[] probabilities) {
        @Override
        public String toString() {
            return settings.toString();
        }
    }

    static Stream<Case> cases() throws IOException {
        List<Case> cases =
                new Gson()
                        .fromJson(
                                Files.readString(TestData.path("golden/generation.json")),
                                new TypeToken<List<Case>>() {}.getType());
        assertThat(cases).hasSizeGreaterThan(40);
        return cases.stream();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void probabilitiesAreThoseOfTransformers(Case golden) {
        Map<String, Double> settings = golden.settings();
        GenerationConfig config =
                GenerationConfig.builder()
                        .optTemperature(settings.getOrDefault("temperature", 1.0))
                        .optTopK(settings.getOrDefault("top_k", 0.0).intValue())
                        .optTopP(settings.getOrDefault("top_p", 1.0))
                        .optMinP(settings.getOrDefault("min_p", 0.0))
                        .optRepetitionPenalty(settings.getOrDefault("repetition_penalty", 1.0))
                        .build();
        assertThat(new TokenSampler(config, 1, golden.ids()).probabilities(golden.logits()))
                .containsExactly(golden.probabilities(), within(2e-6));
    }
}
