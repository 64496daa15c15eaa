package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.Gson;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tokenizers in the layouts of LLaMA 3, LLaMA 2 and Phi-3 do what they do in transformers. */
class TokenizerFamiliesTest {

    private record Text(
            String text, long[] ids, long[] ids_no_special, String decoded, String decoded_all) {}

    private record Talk(List<Message> messages, long[] ids, int[] mask) {}

    private record Cases(
            int size,
            long bos,
            long eos,
            List<Text> texts,
            List<Talk> talks,
            String training_template) {}

    private static Path directory(String family) {
        return TestData.path("golden/tokenizers/" + family);
    }

    private static Cases cases(String family) throws IOException {
        return new Gson()
                .fromJson(Files.readString(directory(family).resolve("cases.json")), Cases.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3", "llama2", "phi3"})
    void idsAndTextsAreThoseOfTransformers(String family) throws IOException {
        Cases cases = cases(family);
        assertThat(cases.texts()).hasSizeGreaterThan(40);
        try (Tokenizer tokenizer = Tokenizer.load(directory(family))) {
            assertThat(tokenizer.size()).isEqualTo(cases.size());
            assertThat(tokenizer.bosId()).hasValue(cases.bos());
            assertThat(tokenizer.eosId()).hasValue(cases.eos());
            for (Text expected : cases.texts()) {
                String text = expected.text();
                assertThat(tokenizer.encode(text, true)).as(text).containsExactly(expected.ids());
                assertThat(tokenizer.encode(text, false))
                        .as(text)
                        .containsExactly(expected.ids_no_special());
                assertThat(tokenizer.decode(expected.ids(), true)).isEqualTo(expected.decoded());
                assertThat(tokenizer.decode(expected.ids(), false))
                        .isEqualTo(expected.decoded_all());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3", "llama2", "phi3"})
    void conversationsAreThoseOfTransformers(String family) throws IOException {
        try (Tokenizer tokenizer = Tokenizer.load(directory(family))) {
            for (Talk talk : cases(family).talks()) {
                assertThat(tokenizer.encodeChat(talk.messages()).ids()).containsExactly(talk.ids());
            }
        }
    }

    /** The masks of TRL's marked templates, with the templates that have no marks. */
    @ParameterizedTest
    @ValueSource(strings = {"llama3", "phi3"})
    void answersAreToldWithoutMarksAsWithThem(String family) throws IOException {
        try (Tokenizer tokenizer = Tokenizer.load(directory(family))) {
            assertMasks(tokenizer, cases(family));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3", "phi3"})
    void answersAreToldByMarks(String family, @TempDir Path copy) throws IOException {
        Cases cases = cases(family);
        for (String name : List.of("tokenizer.json", "tokenizer_config.json")) {
            Files.copy(directory(family).resolve(name), copy.resolve(name));
        }
        Files.writeString(
                copy.resolve("chat_template.jinja"),
                cases.training_template(),
                StandardOpenOption.CREATE_NEW);
        try (Tokenizer tokenizer = Tokenizer.load(copy)) {
            assertMasks(tokenizer, cases);
        }
    }

    private static void assertMasks(Tokenizer tokenizer, Cases cases) {
        for (Talk talk : cases.talks()) {
            boolean[] found = tokenizer.encodeChat(talk.messages()).assistant();
            assertThat(found).hasSameSizeAs(talk.mask());
            for (int i = 0; i < found.length; i++) {
                assertThat(found[i]).as("token %s of %s", i, talk).isEqualTo(talk.mask()[i] == 1);
            }
        }
    }
}
