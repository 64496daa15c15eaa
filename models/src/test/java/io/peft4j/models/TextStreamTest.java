package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TextStreamTest {

    private static Tokenizer tokenizer;

    private final List<String> pieces = new ArrayList<>();

    @BeforeAll
    static void open() throws IOException {
        tokenizer = Tokenizer.load(TestData.path("golden/tokenizer"));
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    private TextStream stream(String text, String... stops) {
        TextStream stream = new TextStream(tokenizer, List.of(stops), pieces::add);
        for (long id : tokenizer.encode(text, false)) {
            if (!stream.accept(id)) {
                break;
            }
        }
        return stream;
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3", "llama2", "phi3"})
    void thePiecesTogetherAreTheWholeText(String family) throws IOException {
        Path directory = TestData.path("golden/tokenizers/" + family);
        JsonArray texts =
                JsonParser.parseString(Files.readString(directory.resolve("cases.json")))
                        .getAsJsonObject()
                        .getAsJsonArray("texts");
        try (Tokenizer other = Tokenizer.load(directory)) {
            for (JsonElement element : texts) {
                String text = element.getAsJsonObject().get("text").getAsString();
                long[] ids = other.encode(text, true);
                StringBuilder shown = new StringBuilder();
                TextStream stream = new TextStream(other, List.of(), shown::append);
                for (long id : ids) {
                    assertThat(stream.accept(id)).isTrue();
                }
                String whole = other.decode(ids, true);
                assertThat(stream.finish()).as(text).isEqualTo(whole);
                assertThat(shown).as(text).hasToString(whole);
            }
        }
    }

    @Test
    void noPartOfACharacterIsShown() {
        TextStream stream = stream("a東🙂b");
        assertThat(pieces).containsExactly("a", "東", "🙂", "b");
        assertThat(stream.finish()).isEqualTo("a東🙂b");
        pieces.clear();
        long[] ids = tokenizer.encode("x🙂", false);
        TextStream cut = new TextStream(tokenizer, List.of(), pieces::add);
        for (int i = 0; i < ids.length - 1; i++) {
            cut.accept(ids[i]);
        }
        assertThat(pieces).containsExactly("x");
        assertThat(cut.finish()).startsWith("x\ufffd");
    }

    @Test
    void theTextEndsBeforeAStopString() {
        TextStream stream = stream("One. Two###Three", "###", "never");
        assertThat(stream.isStopped()).isTrue();
        assertThat(stream.finish()).isEqualTo("One. Two");
        assertThat(String.join("", pieces)).isEqualTo("One. Two");
        assertThat(stream.accept(40)).isFalse();
        assertThat(stream.finish()).isEqualTo("One. Two");
    }

    @Test
    void theBeginningOfAStopStringIsHeldBackUntilItIsNone() {
        stream("ab##", "###");
        assertThat(String.join("", pieces)).isEqualTo("ab");
        pieces.clear();
        TextStream none = stream("ab##c", "###");
        assertThat(String.join("", pieces)).isEqualTo("ab##c");
        assertThat(none.isStopped()).isFalse();
        pieces.clear();
        assertThat(stream("ab##", "###").finish()).isEqualTo("ab##");
    }

    @Test
    void theFirstOfSeveralStopStringsCounts() {
        assertThat(stream("abcabc", "ca", "bc").finish()).isEqualTo("a");
        assertThat(stream("\n\nUser: x", "User:", "\n\n").finish()).isEmpty();
    }
}
