package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TargetModulesTest {

    private static final List<String> PATHS =
            List.of(
                    "",
                    "layers",
                    "layers.0",
                    "layers.0.attn",
                    "layers.0.attn.qkv_proj",
                    "layers.0.attn.out_proj",
                    "layers.1",
                    "layers.1.attn",
                    "layers.1.attn.qkv_proj",
                    "layers.1.attn.out_proj",
                    "lm_head");
    private static final Set<String> LINEARS =
            Set.of(
                    "layers.0.attn.qkv_proj",
                    "layers.0.attn.out_proj",
                    "layers.1.attn.qkv_proj",
                    "layers.1.attn.out_proj",
                    "lm_head");

    @Test
    void aMistypedNameIsAnErrorThatListsTheNearestOnes() {
        assertThatThrownBy(() -> select(TargetModules.of("qkv_proj", "output_proj")))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessage(
                        "expected every entry to match a module, found no match for target_modules:"
                                + " output_proj; nearest: out_proj");
    }

    @Test
    void theNearestNamesHaveAsManyPartsAsTheMistypedOne() {
        assertThatThrownBy(() -> select(TargetModules.of("attention.qkv_proj")))
                .hasMessageContaining("nearest: attn.qkv_proj");
    }

    @Test
    void everyUnmatchedEntryIsNamedAtOnce() {
        TargetModules targets =
                TargetModules.builder()
                        .optNames(List.of("qkv_proj", "x_proj"))
                        .optExcludeNames(List.of("lm_hed"))
                        .optLayersToTransform(List.of(0, 9))
                        .optLayersPattern(List.of("layers"))
                        .build();

        assertThatThrownBy(() -> select(targets))
                .hasMessageContaining("target_modules: x_proj")
                .hasMessageContaining("exclude_modules: lm_hed; nearest: lm_head")
                .hasMessageEndingWith("| layers_to_transform: 9");
    }

    @Test
    void patternsWithoutAMatchAreNamedWithTheNearestModules() {
        ModulePatterns ranks = ModulePatterns.of(Map.of("out_prj", 4, "qkv_proj", 2));

        assertThat(ranks.unmatched(PATHS)).containsExactly("out_prj");
        assertThatThrownBy(() -> ranks.requireMatches("rank_pattern", LINEARS))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageEndingWith("rank_pattern: out_prj; nearest: out_proj");
        ModulePatterns.of(Map.of("qkv_.*", 4)).requireMatches("rank_pattern", LINEARS);
    }

    @Test
    void aSavedAdapterMayNameModulesThatTheModelLacks() {
        TargetModules saved =
                read(
                        """
                        {"target_modules": ["qkv_proj", "x_proj"], "exclude_modules": ["y"],
                         "layers_to_transform": [1, 9], "layers_pattern": "layers"}""");

        assertThat(select(saved)).containsExactly("layers.1.attn.qkv_proj");
        assertThatThrownBy(() -> select(read("{\"target_modules\": [\"qkv_prj\"]}")))
                .hasMessageContaining("nearest: qkv_proj");
    }

    @Test
    void nothingSelectedIsAnErrorThatSaysWhatWasKeptOut() {
        TargetModules targets =
                TargetModules.builder()
                        .optNames(List.of("lm_head"))
                        .optExcludeRegex("lm_.*")
                        .build();

        assertThatThrownBy(() -> select(targets))
                .hasMessageContaining("target modules lm_head match nothing")
                .hasMessageContaining("1 modules kept out")
                .hasMessageContaining("end in lm_head, out_proj, qkv_proj");
    }

    @Test
    void allLinearLeavesOutHeadsContainersAndWhatIsExcluded() {
        TargetModules targets =
                TargetModules.builder()
                        .optAllLinear()
                        .optExcludeNames(List.of("layers.1.attn.out_proj"))
                        .build();

        assertThat(select(targets))
                .containsExactly(
                        "layers.0.attn.qkv_proj",
                        "layers.0.attn.out_proj",
                        "layers.1.attn.qkv_proj");
    }

    @Test
    void aModuleThatCannotBeAdaptedIsRefused() {
        assertThatThrownBy(() -> select(TargetModules.of("attn")))
                .hasMessageContaining("layers.0.attn has no weight that an adapter can attach to");
    }

    @ParameterizedTest
    @ValueSource(strings = {"a,b.c", "re:.*\\.(q|v)_proj", "all-linear"})
    void theFormOfTheCommandLineIsReadAndWritten(String text) {
        assertThat(TargetModules.parse(text)).hasToString(text);
    }

    @Test
    void anEmptyNameBetweenCommasIsRefused() {
        assertThatThrownBy(() -> TargetModules.parse("a,,b")).hasMessageContaining("is empty");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"target_modules\":[\"b\",\"a\"],\"exclude_modules\":[\"c\"],\"modules_to_save\":[\"d\"],\"layers_to_transform\":[3,1],\"layers_pattern\":[\"h\"]}",
                "{\"target_modules\":\".*q\",\"exclude_modules\":\".*\\\\.7\\\\..*\",\"modules_to_save\":null,\"layers_to_transform\":null,\"layers_pattern\":null}",
                "{\"target_modules\":\"all-linear\",\"modules_to_save\":null,\"layers_to_transform\":null,\"layers_pattern\":null}"
            })
    void everySettingSurvivesReadingAndWriting(String json) {
        JsonObject written = read(json).writeTo(PeftConfig.builder("LORA")).build().json();

        written.remove("peft_type");
        assertThat(written).isEqualTo(JsonParser.parseString(json));
    }

    @Test
    void contradictionsAreRefusedWhenTheTargetsAreBuilt() {
        assertThatThrownBy(() -> TargetModules.builder().build())
                .hasMessageContaining("exactly one")
                .hasMessageContaining("there are 0");
        assertThatThrownBy(() -> TargetModules.builder().optAllLinear().optRegex("a").build())
                .hasMessageContaining("there are 2");
        assertThatThrownBy(
                        () ->
                                TargetModules.builder()
                                        .optAllLinear()
                                        .optLayersToTransform(List.of(1))
                                        .build())
                .hasMessageContaining("layers_to_transform [1]")
                .hasMessageContaining("all-linear");
        assertThatThrownBy(
                        () ->
                                TargetModules.builder()
                                        .optNames(List.of("a"))
                                        .optLayersPattern(List.of("h"))
                                        .build())
                .hasMessageContaining("layers_pattern [h] needs layers_to_transform");
        assertThatThrownBy(
                        () ->
                                TargetModules.builder()
                                        .optAllLinear()
                                        .optExcludeNames(List.of("a"))
                                        .optExcludeRegex("b")
                                        .build())
                .hasMessageContaining("found both");
    }

    @Test
    void aBrokenExpressionIsRefusedWhereverItStands() {
        TargetModules.Builder names = TargetModules.builder().optNames(List.of("a"));

        assertThatThrownBy(() -> TargetModules.parse("re:(")).hasMessageContaining("Python");
        assertThatThrownBy(() -> names.optExcludeRegex("*").build()).hasMessageContaining("\"*\"");
        assertThatThrownBy(
                        () ->
                                names.optExcludeRegex("")
                                        .optLayersToTransform(List.of(1))
                                        .optLayersPattern(List.of("["))
                                        .build())
                .hasMessageContaining("a set without its end");
        assertThatThrownBy(() -> read("{\"target_modules\":[\"a\"],\"modules_to_save\":[\")\"]}"))
                .isInstanceOf(AdapterConfigException.class);
        assertThatThrownBy(() -> ModulePatterns.of(Map.of("(", 1)))
                .isInstanceOf(AdapterConfigException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(a+)+b",
                "(a|aa)+b",
                "(.*)*x(.*)*y",
                "((((b?){1000}){1000}){1000}){1000}c",
                "((((){9999}){9999}){9999}){9999}c"
            })
    void anExpressionThatBacktracksForeverIsRefusedQuickly(String bomb) {
        List<String> paths = List.of("a".repeat(60) + "!");

        assertThatThrownBy(
                        () ->
                                TargetModules.parse("re:" + bomb)
                                        .select(paths, Set.of(), Set.of(), Set.of()))
                .isInstanceOf(AdapterConfigException.class);
    }

    @Test
    void anExpressionNestedTooDeeplyIsRefused() {
        TargetModules deep = TargetModules.parse("re:(a|b)*c");

        assertThatThrownBy(
                        () ->
                                deep.select(
                                        List.of("ab".repeat(100_000)),
                                        Set.of(),
                                        Set.of(),
                                        Set.of()))
                .isInstanceOf(AdapterConfigException.class);
        String nested = "(".repeat(100_000) + ")".repeat(100_000);
        assertThatThrownBy(() -> TargetModules.parse("re:" + nested))
                .isInstanceOf(AdapterConfigException.class)
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(400));
    }

    @Test
    void aHugeListOfNamesIsDecidedQuickly() {
        StringBuilder names = new StringBuilder("{\"target_modules\": [\"qkv_proj\"");
        for (int i = 0; i < 50_000; i++) {
            names.append(",\"x.").append(i).append('"');
        }
        TargetModules saved = read(names + "]}");

        assertThat(select(saved)).hasSize(2);
    }

    private static TargetModules read(String json) {
        return TargetModules.read(
                new PeftConfig("test", JsonParser.parseString(json).getAsJsonObject()));
    }

    private static List<String> select(TargetModules targets) {
        return targets.select(PATHS, LINEARS, Set.of(), Set.of("lm_head"));
    }
}
