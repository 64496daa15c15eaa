package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ChatTemplateTest {

    private static final List<Message> HELLO = List.of(new Message("user", "Hello"));

    private record Case(
            List<Message> messages, boolean add_generation_prompt, String expected, String error) {}

    private record Template(String name, String template, List<Case> cases) {
        @Override
        public String toString() {
            return name;
        }
    }

    private record Goldens(Map<String, String> tokens, List<Template> templates) {}

    private static Goldens goldens() throws IOException {
        return new Gson()
                .fromJson(
                        Files.readString(TestData.path("golden/chat_templates.json")),
                        new TypeToken<Goldens>() {}.getType());
    }

    static Stream<Template> templates() throws IOException {
        return goldens().templates().stream();
    }

    private static String render(String template) {
        return new ChatTemplate("test", template, Map.of("bos_token", "<s>")).render(HELLO, true);
    }

    @ParameterizedTest
    @MethodSource("templates")
    void textsAndRefusalsAreThoseOfPython(Template golden) throws IOException {
        ChatTemplate template =
                new ChatTemplate(golden.name(), golden.template(), goldens().tokens());
        assertThat(golden.cases()).hasSize(8);
        for (Case expected : golden.cases()) {
            if (expected.expected() != null) {
                assertThat(template.render(expected.messages(), expected.add_generation_prompt()))
                        .isEqualTo(expected.expected());
            } else {
                assertThatThrownBy(
                                () ->
                                        template.render(
                                                expected.messages(),
                                                expected.add_generation_prompt()))
                        .isInstanceOf(ChatTemplateException.class)
                        .hasMessageContaining(expected.error());
            }
        }
    }

    @Test
    void anErrorIsNeverAGapInTheText() {
        for (String broken :
                List.of(
                        "{% for m in messages %}{{ m.content }}",
                        "{{ messages[0].content | no_such_filter }}",
                        "{% no_such_tag %}",
                        "{{ messages | length }}{{ 'is no | filter' | nor_is_this }}",
                        "{% if messages[0] is not no_such_test %}{% endif %}",
                        "{{ no_such_function('x') }}",
                        "{{ raise_exception('no') }}")) {
            assertThatThrownBy(() -> render(broken))
                    .as(broken)
                    .isInstanceOf(ChatTemplateException.class)
                    .hasMessageContaining("test: the chat template failed");
        }
    }

    @Test
    void whatTransformersAddsToJinjaIsThere() {
        assertThat(render("{% generation %}{{ messages[0].content }}{% endgeneration %}!"))
                .isEqualTo("Hello!");
        assertThat(render("{% for k, v in messages[0] | items %}{{ k }}={{ v }};{% endfor %}"))
                .contains("role=user;")
                .contains("content=Hello;");
    }

    @Test
    void timesAreFormattedAsPythonDoes() {
        LocalDateTime time = LocalDateTime.of(2024, 7, 6, 15, 4, 9);
        assertThat(ChatTemplateFunctions.format("%d %b %Y, %A %B %y %m %H:%M:%S %I%p %j 5%%", time))
                .isEqualTo("06 Jul 2024, Saturday July 24 07 15:04:09 03PM 188 5%");
        assertThatThrownBy(() -> ChatTemplateFunctions.format("%Q", time))
                .isInstanceOf(ChatTemplateException.class)
                .hasMessageContaining("found Q");
        assertThat(render("{{ strftime_now('%Y') }}")).matches("2\\d{3}");
    }
}
