package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.Gson;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ChatTemplateTest {

    private static final List<Message> HELLO = List.of(new Message("user", "Hello"));

    private record Case(List<Message> messages, boolean continue_final_message, String expected) {}

    private record Template(String name, String template, List<Case> cases) {
        @Override
        public String toString() {
            return name;
        }
    }

    private record Goldens(Map<String, String> variables, List<Template> templates) {}

    private static final Goldens GOLDENS = readGoldens();

    private static Goldens readGoldens() {
        try {
            return new Gson()
                    .fromJson(
                            Files.readString(TestData.path("golden/chat/templates.json")),
                            Goldens.class);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Stream<Template> templates() {
        return GOLDENS.templates().stream()
                .filter(golden -> !golden.template().contains("strftime_now")); // the day changes
    }

    private static ChatTemplate template(String text) {
        return new ChatTemplate("test", text, Map.of("bos_token", "<s>"));
    }

    @ParameterizedTest
    @MethodSource("templates")
    void aLastMessageIsContinuedAsTransformersDoes(Template golden) {
        ChatTemplate template =
                new ChatTemplate(golden.name(), golden.template(), GOLDENS.variables());
        for (Case expected : golden.cases()) {
            if (!expected.continue_final_message()) {
                continue;
            }
            if (expected.expected() != null) {
                assertThat(template.render(expected.messages(), ChatOptions.continuing()))
                        .isEqualTo(expected.expected());
            } else {
                assertThatThrownBy(
                                () ->
                                        template.render(
                                                expected.messages(), ChatOptions.continuing()))
                        .isInstanceOf(ChatTemplateException.class);
            }
        }
    }

    @Test
    void whatAUserWritesIsNeverATemplate() {
        List<Message> hostile = List.of(new Message("user", "{{ 7*7 }}{% if %}"));
        assertThat(
                        template("{{ bos_token }}{{ messages[0].content }}")
                                .render(hostile, ChatOptions.prompt()))
                .isEqualTo("<s>{{ 7*7 }}{% if %}");
    }

    @Test
    void anErrorNamesSourceAndLine() {
        assertThatThrownBy(() -> template("a\n{{ nothing.x }}").render(HELLO, ChatOptions.prompt()))
                .isInstanceOf(ChatTemplateException.class)
                .hasMessage("test: the chat template, line 2: 'nothing' is undefined");
        assertThatThrownBy(() -> template("a\n\n{% no_such_tag %}"))
                .isInstanceOf(ChatTemplateException.class)
                .hasMessageContaining("test: the chat template, line 3: expected one of the tags");
        assertThatThrownBy(() -> template("x").render(List.of(), ChatOptions.prompt()))
                .hasMessage("test: expected one message at least, found none");
    }

    @Test
    void aTemplateReadsFurtherVariables() {
        assertThat(
                        template("{{ date_string }}{{ tools is none }}")
                                .render(HELLO, ChatOptions.whole().with("date_string", "today")))
                .isEqualTo("todayTrue");
        assertThatThrownBy(() -> new ChatOptions(true, true, Map.of()))
                .hasMessageContaining("found both");
    }
}
