package io.peft4j.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StrictJsonTest {

    @TempDir Path folder;

    @Test
    void anOrdinaryTextKeepsItsOrderAndNumbers() throws IOException {
        String text = "{\"b\":[1,2.5,true,null],\"a\":{\"é\":\"ü\"},\"n\":1e30}";

        assertThat(parse(text)).hasToString(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "{\"a\":1,}",
                "[1,]",
                "{a:1}",
                "{'a':1}",
                "{\"a\":1}{}",
                "{\"a\":1} x",
                "{\"a\":NaN}",
                "{\"a\":Infinity}",
                "{\"a\":01}",
                "{\"a\":TRUE}",
                "{\"a\":1,\"a\":2}",
                "{\"a\":{\"b\":1,\"b\":1}}",
                "// x\n{}",
                "{\"a\":\"\n\"}",
                "{\"a\":\"\\q\"}",
                "[[[[[]]]]]",
                ")]}'\n{}"
            })
    void whatTheStandardDoesNotAllowIsATypedError(String text) {
        assertThatThrownBy(() -> parse(text))
                .isInstanceOf(StrictJsonException.class)
                .hasMessageStartingWith("text: ");
    }

    @Test
    void bytesThatAreNotUtf8AreATypedError() {
        assertThatThrownBy(() -> StrictJson.parse(new byte[] {'"', (byte) 0xff, '"'}, "text", 4))
                .isInstanceOf(StrictJsonException.class)
                .hasMessageContaining("UTF-8");
    }

    @Test
    void aFileBeyondTheLimitIsNotParsed() throws IOException {
        Path file = Files.writeString(folder.resolve("big.json"), "[1,2,3]");

        assertThat(StrictJson.read(file, 7, 4)).hasToString("[1,2,3]");
        assertThatThrownBy(() -> StrictJson.read(file, 6, 4))
                .isInstanceOf(StrictJsonException.class)
                .hasMessageContaining("at most 6 bytes");
    }

    private static com.google.gson.JsonElement parse(String text) throws IOException {
        return StrictJson.parse(text.getBytes(StandardCharsets.UTF_8), "text", 4);
    }
}
