package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.peft4j.text.StrictJsonException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PeftConfigTest {

    @TempDir Path directory;

    @Test
    void absentKeysAndNullAreAlike() throws IOException {
        for (String json : new String[] {"{}", "{\"x\": null}"}) {
            PeftConfig config = read(json);

            assertThat(config.has("x")).isFalse();
            assertThat(config.string("x")).isEmpty();
            assertThat(config.flag("x")).isFalse();
            assertThat(config.number("x")).isEmpty();
            assertThat(config.integer("x")).isEmpty();
            assertThat(config.strings("x")).isEmpty();
            assertThat(config.integers("x")).isEmpty();
            assertThat(config.numbers("x")).isEmpty();
            config.requireUnused("x", Set.of());
        }
    }

    @Test
    void oneValueStandsForAListOfOneAndOrderIsKept() throws IOException {
        PeftConfig config = read("{\"s\": \"a\", \"i\": 3, \"n\": {\"z\": 1, \"a\": 2.5}}");

        assertThat(config.strings("s")).containsExactly("a");
        assertThat(config.integers("i")).containsExactly(3);
        assertThat(config.numbers("n")).containsExactly(Map.entry("z", 1.0), Map.entry("a", 2.5));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "1|a string",
                "{}|a string",
                "\"yes\"|true or false",
                "0|true or false",
                "\"8\"|a number",
                "1e400|a number",
                "2.5|a whole number",
                "99999999999|a whole number",
                "[1]|a string or a list of strings",
                "{}|a string or a list of strings",
                "[0.5]|a whole number",
                "[]|an object of numbers",
            })
    void aWrongValueIsNamedWithItsFile(String value, String expected) throws IOException {
        PeftConfig config = read("{\"key\": " + value + "}");

        assertThatThrownBy(() -> get(config, expected, value))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageStartingWith(directory.resolve("adapter_config.json").toString())
                .hasMessageContaining("\"key\" must be " + expected + ", but is ");
    }

    @Test
    void aWrongValueInsideAnObjectIsNamedWithItsKey() throws IOException {
        PeftConfig config = read("{\"rank_pattern\": {\"q_proj\": null}}");

        assertThatThrownBy(() -> config.numbers("rank_pattern"))
                .hasMessageEndingWith("\"rank_pattern.q_proj\" must be a number, but is null");
    }

    @Test
    void aSettingThatIsNotCarriedOutIsRefusedUnlessItChangesNothing() throws IOException {
        PeftConfig config = read("{\"a\": [], \"b\": true}");

        config.requireUnused("a", Set.of("[]"));
        assertThatThrownBy(() -> config.requireUnused("b", Set.of("false")))
                .hasMessageEndingWith("\"b\": true is not supported");
    }

    @Test
    void valuesAreWrittenAsPeftWritesThem() {
        PeftConfig config =
                PeftConfig.builder("LORA")
                        .opt("lora_alpha", 32.0)
                        .opt("lora_dropout", 0.05)
                        .opt("target_modules", List.of("a"))
                        .opt("rank_pattern", Map.of("q", 2.0))
                        .opt("revision", null)
                        .build();

        assertThat(config.json())
                .hasToString(
                        "{\"peft_type\":\"LORA\",\"lora_alpha\":32,\"lora_dropout\":0.05,"
                                + "\"target_modules\":[\"a\"],\"rank_pattern\":{\"q\":2},"
                                + "\"revision\":null}");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"a\": [[[[[[[[]]]]]]]]}",
                "{\"a\": 1, \"a\": 1}",
                "{\"a\": NaN}",
                "{\"a\"",
                "{\"a\": 1} 2"
            })
    void textsThatAreNotStrictJsonAreNotRead(String json) {
        assertThatThrownBy(() -> read(json)).isInstanceOf(StrictJsonException.class);
    }

    @Test
    void textsBeyondTheLimitAreNotRead() {
        assertThatThrownBy(() -> read("{}" + " ".repeat(1 << 20)))
                .isInstanceOf(StrictJsonException.class);
    }

    private static Object get(PeftConfig config, String expected, String value) {
        return switch (expected) {
            case "a string" -> config.string("key");
            case "true or false" -> config.flag("key");
            case "a number" -> config.number("key");
            case "a whole number" ->
                    value.startsWith("[") ? config.integers("key") : config.integer("key");
            case "a string or a list of strings" -> config.strings("key");
            default -> config.numbers("key");
        };
    }

    private PeftConfig read(String json) throws IOException {
        Files.writeString(directory.resolve("adapter_config.json"), json);
        return AdapterFiles.readConfig(directory);
    }
}
