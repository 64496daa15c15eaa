package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Named.named;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.peft4j.testdata.TestData;
import io.peft4j.text.StrictJson;
import java.io.IOException;
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

    private static final double RANK = 8;
    private static final double ALPHA = 16;

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void selectsWhatPeftAdapts(JsonObject golden, JsonObject skeleton) {
        JsonObject result = golden.getAsJsonObject("result");
        JsonObject config = golden.getAsJsonObject("config");
        if (result.has("adapted")) {
            assertThat(select(config, skeleton))
                    .isEqualTo(pairs(result.getAsJsonObject("adapted")));
            return;
        }
        String message = result.get("message").getAsString();
        if (message.startsWith("`r` should be a positive integer")) {
            // looked up as it stands: refusing the rank is for the method that uses it
            assertThat(select(config, skeleton).values()).contains(List.of(0.0, ALPHA));
        } else {
            assertThatThrownBy(() -> select(config, skeleton))
                    .isInstanceOf(AdapterConfigException.class)
                    .hasMessageContaining(
                            message.startsWith("Target module ")
                                    ? "has no weight that an adapter can attach to"
                                    : "");
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
                                                ? new JsonPrimitive("error")
                                                : r.get(2)));
    }

    /** Path to rank and alpha, by the configuration as a saved adapter would hold it. */
    private static Map<String, List<Double>> select(JsonObject json, JsonObject skeleton) {
        PeftConfig config = new PeftConfig("golden", json);
        ModulePatterns ranks = ModulePatterns.of(config.numbers("rank_pattern"));
        ModulePatterns alphas = ModulePatterns.of(config.numbers("alpha_pattern"));
        TargetModules targets = TargetModules.read(config);
        // PEFT adapts an embedding that is named, though all-linear leaves it out
        Set<String> adaptable =
                targets.toString().equals("all-linear")
                        ? Set.of("linear", "conv1d")
                        : Set.of("linear", "conv1d", "embedding");
        Map<String, String> kinds = kinds(skeleton);
        Set<String> linears =
                kinds.keySet().stream()
                        .filter(path -> adaptable.contains(kinds.get(path)))
                        .collect(Collectors.toSet());
        Map<String, List<Double>> selected = new LinkedHashMap<>();
        for (String path :
                targets.select(kinds.keySet(), linears, Set.of(), heads(config, skeleton))) {
            selected.put(
                    path,
                    List.of(ranks.lookup(path).orElse(RANK), alphas.lookup(path).orElse(ALPHA)));
        }
        return selected;
    }

    private static Set<String> heads(PeftConfig config, JsonObject skeleton) {
        if (config.string("task_type").filter("SEQ_CLS"::equals).isPresent()) {
            return Set.of("classifier");
        }
        JsonElement head = skeleton.get("head");
        return head.isJsonNull() ? Set.of() : Set.of(head.getAsString());
    }

    private static Map<String, List<Double>> pairs(JsonObject adapted) {
        Map<String, List<Double>> pairs = new LinkedHashMap<>();
        adapted.asMap()
                .forEach(
                        (path, pair) ->
                                pairs.put(
                                        path,
                                        elements(pair.getAsJsonArray())
                                                .map(JsonElement::getAsDouble)
                                                .toList()));
        return pairs;
    }

    private static Map<String, String> kinds(JsonObject skeleton) {
        Map<String, String> kinds = new LinkedHashMap<>();
        for (JsonElement module : skeleton.getAsJsonArray("modules")) {
            JsonArray pair = module.getAsJsonArray();
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
