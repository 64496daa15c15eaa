package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerTest {

    private static final Path DIRECTORY = TestData.path("golden/tokenizer");

    private static Tokenizer tokenizer;
    private static JsonObject golden;

    @TempDir private Path copy;

    @BeforeAll
    static void open() throws IOException {
        tokenizer = Tokenizer.load(DIRECTORY);
        golden =
                JsonParser.parseString(Files.readString(DIRECTORY.resolve("golden.json")))
                        .getAsJsonObject();
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    private static long[] ids(JsonElement array) {
        return new Gson().fromJson(array, long[].class);
    }

    private static List<Message> messages(JsonArray array) {
        List<Message> messages = new ArrayList<>();
        for (JsonElement element : array) {
            JsonObject message = element.getAsJsonObject();
            messages.add(
                    new Message(
                            message.get("role").getAsString(),
                            message.get("content").getAsString()));
        }
        return messages;
    }

    @Test
    void idsAndTextsAreThoseOfPython() {
        assertThat(golden.getAsJsonArray("texts")).isNotEmpty();
        for (JsonElement element : golden.getAsJsonArray("texts")) {
            JsonObject expected = element.getAsJsonObject();
            String text = expected.get("text").getAsString();
            long[] ids = ids(expected.get("ids"));
            assertThat(tokenizer.encode(text, true)).as(text).containsExactly(ids);
            assertThat(tokenizer.encode(text, false))
                    .as(text)
                    .containsExactly(ids(expected.get("ids_no_special")));
            assertThat(tokenizer.decode(ids, true))
                    .isEqualTo(expected.get("decoded").getAsString());
        }
        assertThat(tokenizer.decode(new long[] {1, 47}, false)).isEqualTo("<s>H");
    }

    @Test
    void conversationsAreThoseOfPython() {
        List<Message> messages = messages(golden.getAsJsonArray("messages"));
        String text = tokenizer.applyChatTemplate(messages, true);
        assertThat(text).isEqualTo(golden.get("chat_text").getAsString());
        assertThat(tokenizer.encode(text, false)).containsExactly(ids(golden.get("chat_ids")));
        assertThat(text).startsWith(tokenizer.applyChatTemplate(messages, false));
    }

    @Test
    void nothingIsCut() {
        assertThat(tokenizer.encode("ab ".repeat(1000), true)).hasSize(3001);
    }

    @Test
    void specialTokensAndSizeAreKnown() {
        assertThat(tokenizer.bosId()).hasValue(1);
        assertThat(tokenizer.eosId()).hasValue(2);
        assertThat(tokenizer.size()).isEqualTo(264);
        assertThat(tokenizer.hasChatTemplate()).isTrue();
    }

    @Test
    void aFileStandsForItsDirectoryAndNothingForNone() throws IOException {
        try (Tokenizer fromFile = Tokenizer.load(DIRECTORY.resolve("tokenizer.json"))) {
            assertThat(fromFile.bosId()).hasValue(1);
        }
        assertThat(Tokenizer.find(copy)).isEmpty();
        assertThat(Tokenizer.find(copy.resolve("tokenizer.json"))).isEmpty();
        assertThatThrownBy(() -> Tokenizer.load(copy))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining(copy + ": expected a tokenizer.json, found none");
        Files.writeString(copy.resolve("tokenizer.model"), "");
        assertThatThrownBy(() -> Tokenizer.load(copy)).hasMessageContaining("save_pretrained");
    }

    private Path copyWithConfig(String config) throws IOException {
        Path file = copy.resolve("tokenizer.json");
        Files.copy(DIRECTORY.resolve("tokenizer.json"), file);
        Files.writeString(copy.resolve("tokenizer_config.json"), config);
        return file;
    }

    @Test
    void configsOfPublishedModelsAreRead() throws IOException {
        copyWithConfig(
                """
                {"model_max_length": 1000000000000000019884624838656,
                 "bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": false},
                 "eos_token": "</s>", "pad_token": null, "unk_token": {"content": "no such token"},
                 "chat_template": [{"name": "tool_use", "template": "no"},
                                   {"name": "default", "template": "{{ bos_token }}ok"}]}
                """);
        try (Tokenizer read = Tokenizer.load(copy)) {
            assertThat(read.bosId()).hasValue(1);
            assertThat(read.eosId()).hasValue(2);
            assertThat(read.applyChatTemplate(List.of(new Message("user", "Hi")), false))
                    .isEqualTo("<s>ok");
        }
        Files.writeString(copy.resolve("chat_template.jinja"), "{{ messages[0].content }}!");
        try (Tokenizer read = Tokenizer.load(copy)) {
            assertThat(read.applyChatTemplate(List.of(new Message("user", "Hi")), true))
                    .isEqualTo("Hi!");
        }
    }

    @Test
    void withoutConfigThereAreIdsButNoChats() throws IOException {
        Files.copy(DIRECTORY.resolve("tokenizer.json"), copy.resolve("tokenizer.json"));
        try (Tokenizer bare = Tokenizer.load(copy)) {
            assertThat(bare.encode("Hi", true)).startsWith(1);
            assertThat(bare.bosId()).isEmpty();
            assertThat(bare.hasChatTemplate()).isFalse();
            assertThatThrownBy(() -> bare.applyChatTemplate(List.of(), true))
                    .isInstanceOf(ChatTemplateException.class)
                    .hasMessageContaining("expected a chat_template");
        }
    }

    @Test
    void damagedFilesAreNamed() throws IOException {
        Path file = copyWithConfig("[]");
        assertThatThrownBy(() -> Tokenizer.load(copy))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContaining("tokenizer_config.json: expected a JSON object");
        Files.writeString(copy.resolve("tokenizer_config.json"), "{}");
        for (String text : List.of("", "[1]", "{\"model\": {\"vocab\": 3}}", "{}", "{\"model\"")) {
            Files.writeString(file, text);
            assertThatThrownBy(() -> Tokenizer.load(copy))
                    .as(text)
                    .isInstanceOf(TokenizerException.class)
                    .hasMessageContaining(file.toString());
        }
    }
}
