package io.peft4j.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TargetModulesTest {

    private static final List<String> PATHS =
            List.of(
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
    private static final Set<String> LINEAR =
            Set.of(
                    "layers.0.attn.qkv_proj",
                    "layers.0.attn.out_proj",
                    "layers.1.attn.qkv_proj",
                    "layers.1.attn.out_proj",
                    "lm_head");

    @Test
    void aMistypedNameIsAnErrorThatListsTheNearestOnes() {
        assertThatThrownBy(() -> select(rules(ModuleFilter.of("qkv_proj", "output_proj"))))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessage(
                        "expected every entry to match a module, found no match for target_modules:"
                                + " output_proj; nearest: out_proj");
    }

    @Test
    void theNearestNamesHaveAsManyPartsAsTheMistypedOne() {
        assertThatThrownBy(() -> select(rules(ModuleFilter.of("attention.qkv_proj"))))
                .hasMessageContaining("nearest: attn.qkv_proj");
    }

    @Test
    void everyUnmatchedEntryIsNamedAtOnce() {
        TargetModules.Builder rules =
                rules(ModuleFilter.of("qkv_proj", "x_proj"))
                        .optExclude(ModuleFilter.of("lm_hed"))
                        .optLayersToTransform(List.of(0, 9))
                        .optRankPattern(Map.of("out_proj", 4))
                        .optAlphaPattern(Map.of("nothing", 4.0));

        assertThatThrownBy(() -> select(rules))
                .hasMessageContaining("target_modules: x_proj")
                .hasMessageContaining("exclude_modules: lm_hed; nearest: lm_head")
                .hasMessageContaining("layers_to_transform: 9")
                .hasMessageContaining("rank_pattern: out_proj")
                .hasMessageContaining("alpha_pattern: nothing");
    }

    @Test
    void unmatchedEntriesAreListedWhenTheyAreAllowed() {
        Selection selection =
                select(rules(ModuleFilter.of("qkv_proj", "x_proj")).optAllowUnmatched(true));

        assertThat(selection.paths())
                .containsExactly("layers.0.attn.qkv_proj", "layers.1.attn.qkv_proj");
        assertThat(selection.unmatched()).containsExactly("target_modules: x_proj");
    }

    @Test
    void nothingSelectedIsAlwaysAnError() {
        assertThatThrownBy(() -> select(rules(ModuleFilter.of("x")).optAllowUnmatched(true)))
                .isInstanceOf(AdapterConfigException.class);
        assertThatThrownBy(
                        () ->
                                select(
                                        rules(ModuleFilter.of("lm_head"))
                                                .optExclude(ModuleFilter.matching("lm_.*"))))
                .hasMessageContaining("found none")
                .hasMessageContaining("kept out: 1 modules");
    }

    @Test
    void aDryRunShowsWhatIsTakenAndWhatIsKeptOut() {
        Selection selection =
                select(
                        rules(ModuleFilter.allLinear())
                                .optExclude(ModuleFilter.of("layers.1.attn.out_proj"))
                                .optRankPattern(Map.of("out_proj", 4)));

        assertThat(selection.paths())
                .containsExactly(
                        "layers.0.attn.qkv_proj",
                        "layers.0.attn.out_proj",
                        "layers.1.attn.qkv_proj");
        assertThat(selection.excluded()).containsExactly("layers.1.attn.out_proj");
        assertThat(selection.targets().get(1).rank()).hasValue(4);
        assertThat(selection.targets().get(0).rank()).isEmpty();
    }

    @Test
    void contradictionsAreRefusedWhenTheRulesAreBuilt() {
        assertThatThrownBy(() -> TargetModules.builder().build())
                .hasMessageContaining("expected target_modules");
        assertThatThrownBy(() -> rules(ModuleFilter.of()).build())
                .hasMessageContaining("expected target_modules");
        assertThatThrownBy(
                        () ->
                                rules(ModuleFilter.allLinear())
                                        .optLayersToTransform(List.of(1))
                                        .build())
                .hasMessageContaining("layers_to_transform")
                .hasMessageContaining("all-linear");
        assertThatThrownBy(() -> rules(ModuleFilter.of("a")).optLayersPattern(List.of("h")).build())
                .hasMessageContaining("layers_to_transform beside layers_pattern [h]");
        assertThatThrownBy(() -> new ModuleFilter(List.of("a"), "b"))
                .hasMessageContaining("found both");
    }

    @Test
    void anExpressionThatBacktracksForeverIsRefusedQuickly() {
        List<String> paths = List.of("a".repeat(60) + "!");

        for (String bomb : new String[] {"(a+)+b", "(a|aa)+b", "(.*)*x(.*)*y"}) {
            TargetModules rules = rules(ModuleFilter.matching(bomb)).build();
            assertThatThrownBy(() -> rules.select(paths, Set.of(), Set.of()))
                    .as(bomb)
                    .isInstanceOf(AdapterConfigException.class);
        }
        TargetModules deep = rules(ModuleFilter.matching("(a|b)*c")).build();
        assertThatThrownBy(() -> deep.select(List.of("ab".repeat(100_000)), Set.of(), Set.of()))
                .isInstanceOf(AdapterConfigException.class);
    }

    private static TargetModules.Builder rules(ModuleFilter targets) {
        return TargetModules.builder().setTargets(targets);
    }

    private static Selection select(TargetModules.Builder rules) {
        return rules.build().select(PATHS, LINEAR, Set.of("lm_head"));
    }
}
