package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Named.named;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.peft4j.testdata.TestData;
import io.peft4j.text.StrictJson;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What PEFT 0.21 adapts in five trees of modules, recorded by make_target_cases.py. */
class PeftTargetCasesTest {

    private static final Set<String> ADAPTABLE = Set.of("linear", "conv1d", "embedding");

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void selectsWhatPeftAdapts(JsonObject golden, JsonObject skeleton) {
        JsonObject result = golden.getAsJsonObject("result");
        JsonObject config = golden.getAsJsonObject("config");
        if (result.has("adapted")) {
            assertThat(select(config, skeleton))
                    .isEqualTo(pairs(result.getAsJsonObject("adapted")));
        } else if (result.get("message").getAsString().startsWith("Target module ")) {
            Map<String, String> kinds = kinds(skeleton);
            assertThat(select(config, skeleton).keySet())
                    .as("a selected module that no adapter fits")
                    .anyMatch(path -> !ADAPTABLE.contains(kinds.getOrDefault(path, "")));
        } else {
            assertThatThrownBy(() -> select(config, skeleton))
                    .isInstanceOf(AdapterConfigException.class);
        }
    }

    @ParameterizedTest(name = "{0} on {1}")
    @MethodSource("expressions")
    void expressionsMatchAsInPython(String pattern, String text, JsonElement expected) {
        if (expected.getAsJsonPrimitive().isBoolean()) {
            assertThat(PythonRegex.compile(pattern).matchesWhole(text))
                    .isEqualTo(expected.getAsBoolean());
        } else {
            assertThatThrownBy(() -> PythonRegex.compile(pattern))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining("Python's syntax");
        }
    }

    static Stream<Arguments> cases() throws IOException {
        JsonObject root = root();
        JsonObject skeletons = root.getAsJsonObject("skeletons");
        return elements(root.getAsJsonArray("cases"))
                .map(JsonElement::getAsJsonObject)
                .map(
                        c -> {
                            String skeleton = c.get("skeleton").getAsString();
                            String name = skeleton + " " + c.get("config");
                            return arguments(
                                    named(name.substring(0, Math.min(name.length(), 200)), c),
                                    named(skeleton, skeletons.getAsJsonObject(skeleton)));
                        });
    }

    static Stream<Arguments> expressions() throws IOException {
        // Python accepts these; Java has nothing like them, so they are refused
        Set<String> refused = Set.of("(?x) a b", "(a)?(?(1)b|c)");
        return elements(root().getAsJsonArray("regex"))
                .map(JsonElement::getAsJsonArray)
                .map(
                        r ->
                                arguments(
                                        r.get(0).getAsString(),
                                        r.get(1).getAsString(),
                                        refused.contains(r.get(0).getAsString())
                                                ? new com.google.gson.JsonPrimitive("error")
                                                : r.get(2)));
    }

    /** Path to rank and alpha. */
    private static Map<String, List<Double>> select(JsonObject config, JsonObject skeleton) {
        Map<String, String> kinds = kinds(skeleton);
        Set<String> linear =
                kinds.entrySet().stream()
                        .filter(e -> e.getValue().equals("linear") || e.getValue().equals("conv1d"))
                        .map(Map.Entry::getKey)
                        .collect(Collectors.toSet());
        JsonElement head = skeleton.get("head");
        Set<String> heads = head.isJsonNull() ? Set.of() : Set.of(head.getAsString());
        if (config.has("task_type") && config.get("task_type").toString().contains("SEQ_CLS")) {
            heads = Set.of("classifier");
        }
        Map<String, List<Double>> selected = new LinkedHashMap<>();
        rules(config).select(List.copyOf(kinds.keySet()), linear, heads).targets().stream()
                .forEach(
                        t ->
                                selected.put(
                                        t.path(),
                                        List.of(
                                                (double) t.rank().orElse(8),
                                                t.alpha().orElse(16))));
        return selected;
    }

    private static TargetModules rules(JsonObject config) {
        TargetModules.Builder rules = TargetModules.builder().optAllowUnmatched(true);
        rules.setTargets(filter(config.get("target_modules")));
        if (config.has("exclude_modules")) {
            rules.optExclude(filter(config.get("exclude_modules")));
        }
        if (config.has("modules_to_save")) {
            rules.optModulesToSave(strings(config.get("modules_to_save")));
        }
        if (config.has("layers_to_transform")) {
            rules.optLayersToTransform(
                    strings(config.get("layers_to_transform")).stream()
                            .map(Integer::valueOf)
                            .toList());
        }
        if (config.has("layers_pattern")) {
            rules.optLayersPattern(
                    strings(config.get("layers_pattern")).stream()
                            .filter(p -> !p.isEmpty())
                            .toList());
        }
        rules.optRankPattern(numbers(config.get("rank_pattern"), JsonElement::getAsInt));
        rules.optAlphaPattern(numbers(config.get("alpha_pattern"), JsonElement::getAsDouble));
        return rules.build();
    }

    private static <T> Map<String, T> numbers(
            JsonElement pattern, java.util.function.Function<JsonElement, T> value) {
        Map<String, T> numbers = new LinkedHashMap<>();
        if (pattern != null) {
            pattern.getAsJsonObject()
                    .entrySet()
                    .forEach(e -> numbers.put(e.getKey(), value.apply(e.getValue())));
        }
        return numbers;
    }

    private static ModuleFilter filter(JsonElement element) {
        return element.isJsonArray()
                ? ModuleFilter.of(strings(element))
                : ModuleFilter.matching(element.getAsString());
    }

    private static List<String> strings(JsonElement element) {
        return element.isJsonArray()
                ? elements(element.getAsJsonArray()).map(JsonElement::getAsString).toList()
                : List.of(element.getAsString());
    }

    private static Map<String, List<Double>> pairs(JsonObject adapted) {
        Map<String, List<Double>> pairs = new LinkedHashMap<>();
        adapted.entrySet()
                .forEach(
                        e ->
                                pairs.put(
                                        e.getKey(),
                                        elements(e.getValue().getAsJsonArray())
                                                .map(JsonElement::getAsDouble)
                                                .toList()));
        return pairs;
    }

    private static Map<String, String> kinds(JsonObject skeleton) {
        Map<String, String> kinds = new LinkedHashMap<>();
        for (JsonElement module : skeleton.getAsJsonArray("modules")) {
            List<JsonElement> pair = new ArrayList<>(module.getAsJsonArray().asList());
            kinds.put(pair.get(0).getAsString(), pair.get(1).getAsString());
        }
        return kinds;
    }

    private static JsonObject root() throws IOException {
        return StrictJson.read(TestData.path("peft/target_cases.json"), 1_000_000, 8)
                .getAsJsonObject();
    }

    private static Stream<JsonElement> elements(JsonArray array) {
        return StreamSupport.stream(array.spliterator(), false);
    }
}
