package io.peft4j.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class JinjaGoldenTest {

    private static final LocalDateTime NOW = LocalDateTime.of(2024, 7, 26, 9, 5, 3);

    private record Case(
            List<Map<String, String>> messages,
            boolean add_generation_prompt,
            boolean continue_final_message,
            String expected,
            String error,
            List<List<Integer>> generated) {}

    private record Template(String name, String template, List<Case> cases) {
        @Override
        public String toString() {
            return name;
        }
    }

    private record Goldens(Map<String, String> variables, List<Template> templates) {}

    private record Snippet(String template, String expected, String error) {
        @Override
        public String toString() {
            return template;
        }
    }

    private static String read(String name) {
        try {
            return Files.readString(TestData.path("golden/chat/" + name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static final Goldens GOLDENS =
            new Gson().fromJson(read("templates.json"), Goldens.class);

    static Stream<Template> templates() {
        return GOLDENS.templates().stream();
    }

    static Stream<Snippet> snippets() {
        List<Snippet> all =
                new Gson()
                        .fromJson(read("jinja.json"), new TypeToken<List<Snippet>>() {}.getType());
        return all.stream();
    }

    private static Rendering render(String template, Map<String, Object> variables) {
        return JinjaTemplate.parse(template).render(variables, () -> NOW);
    }

    private static Map<String, Object> variables(
            List<Map<String, String>> messages, boolean prompt) {
        Map<String, Object> variables = new HashMap<>(GOLDENS.variables());
        variables.put("messages", messages);
        variables.put("tools", null);
        variables.put("documents", null);
        variables.put("add_generation_prompt", prompt);
        return variables;
    }

    @Test
    void thereAreTheTemplatesOfAllFamilies() {
        assertThat(templates().map(Template::name))
                .hasSize(68)
                .contains("llama3", "llama3_1", "llama3_2", "phi3", "mixtral_v0.1_new")
                .contains("qwen2_5", "qwen3", "gemma", "gemma3", "deepseekv3", "gptoss", "chatml");
    }

    @ParameterizedTest
    @MethodSource("templates")
    void textsAndRefusalsAreThoseOfTransformers(Template golden) {
        for (Case expected : golden.cases()) {
            if (expected.continue_final_message()) {
                continue; // ChatTemplateTest
            }
            Map<String, Object> variables =
                    variables(expected.messages(), expected.add_generation_prompt());
            if (expected.expected() == null) {
                assertThatThrownBy(() -> render(golden.template(), variables))
                        .as(expected.error())
                        .isInstanceOf(JinjaException.class)
                        .matches(e -> ((JinjaException) e).line() > 0);
                continue;
            }
            Rendering rendering = render(golden.template(), variables);
            assertThat(rendering.text()).isEqualTo(expected.expected());
            assertThat(codePoints(rendering))
                    .isEqualTo(expected.generated() == null ? List.of() : expected.generated());
        }
    }

    private static List<List<Integer>> codePoints(Rendering rendering) {
        List<List<Integer>> places = new ArrayList<>();
        for (Rendering.Span span : rendering.generated()) {
            places.add(
                    List.of(
                            rendering.text().codePointCount(0, span.begin()),
                            rendering.text().codePointCount(0, span.end())));
        }
        return places;
    }

    @ParameterizedTest
    @MethodSource("snippets")
    void expressionsAndWhitespaceAreThoseOfJinja2(Snippet golden) {
        List<Map<String, String>> messages =
                List.of(Map.of("role", "user", "content", "{{ 7*7 }}{% raw %}"));
        if (golden.expected() != null) {
            assertThat(render(golden.template(), variables(messages, true)).text())
                    .isEqualTo(golden.expected());
        } else {
            assertThatThrownBy(() -> render(golden.template(), variables(messages, true)))
                    .as(golden.error())
                    .isInstanceOf(JinjaException.class)
                    .matches(e -> ((JinjaException) e).line() > 0, "has a line");
        }
    }

    @Test
    void linesAreCountedInBlocksCommentsAndStrings() {
        assertThatThrownBy(
                        () ->
                                render(
                                        "{# a\n #}\n{% set x =\n 'b\n' %}\n{% if true %}\n{{ y.z }}"
                                                + "{% endif %}",
                                        Map.of()))
                .hasMessage("line 7: 'y' is undefined");
        assertThatThrownBy(() -> JinjaTemplate.parse("a\n{% for %}"))
                .hasMessage("line 2: expected a name, found '%}'");
    }

    @Test
    void whatWouldTakeAllMemoryOrStackIsRefused() {
        for (String hostile :
                List.of(
                        "{{ 'a' * 10000000000 }}",
                        "{{ " + "(".repeat(100_000) + "1" + ")".repeat(100_000) + " }}",
                        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
                        "{% for i in range(10 ** 9) %}{% endfor %}")) {
            assertThatThrownBy(() -> render(hostile, Map.of())).isInstanceOf(JinjaException.class);
        }
    }
}
