package io.peft4j.ia3;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.peft4j.adapters.AdapterConfigException;
import io.peft4j.adapters.AdapterState;
import io.peft4j.adapters.PeftConfig;
import io.peft4j.adapters.Site;
import io.peft4j.adapters.TargetModules;
import java.util.List;
import org.junit.jupiter.api.Test;

class Ia3SettingsTest {

    private static final Site UP = Site.linear("mlp.up_proj", 3, 2000, false);

    private static Ia3Config.Builder builder() {
        return Ia3Config.builder().setTargetModules("k_proj", "down_proj");
    }

    private static Ia3Config read(String json) {
        JsonObject object = JsonParser.parseString(json).getAsJsonObject();
        return (Ia3Config) new Ia3Method().read(new PeftConfig("saved", object));
    }

    @Test
    void theSettingsHavePeftsNamesAndNoOthers() {
        PeftConfig peft =
                builder()
                        .optFeedforwardModules("down_proj")
                        .optModulesToSave("score")
                        .optInitWeights(false)
                        .optFanInFanOut(true)
                        .optTaskType("SEQ_CLS")
                        .optBaseModel("org/base")
                        .build()
                        .toPeft();
        assertThat(peft.json())
                .isEqualTo(
                        JsonParser.parseString(
                                """
                                {"peft_type": "IA3", "target_modules": ["k_proj", "down_proj"],
                                 "feedforward_modules": ["down_proj"], "modules_to_save": ["score"],
                                 "task_type": "SEQ_CLS", "base_model_name_or_path": "org/base",
                                 "revision": null, "inference_mode": true, "fan_in_fan_out": true,
                                 "init_ia3_weights": false}
                                """));
        Ia3Config again = (Ia3Config) new Ia3Method().read(peft);
        assertThat(again.toPeft().json()).isEqualTo(peft.json());
        assertThat(again.initWeights()).isFalse();
        assertThat(again.trainedInFull().modulesToSave()).containsExactly("score");
    }

    @Test
    void feedforwardModulesAreEndsOfPathsOrAnExpressionForWholeOnes() {
        Ia3Config names = builder().optFeedforwardModules("down_proj").build();
        assertThat(names.isFeedforward("layers.0.mlp.down_proj")).isTrue();
        assertThat(names.isFeedforward("layers.0.mlp.down_proj.x")).isFalse();
        assertThat(names.isFeedforward("layers.0.mlp.my_down_proj")).isTrue(); // as in PEFT
        Ia3Config regex = builder().optFeedforwardModules("re:.*mlp\\..*").build();
        assertThat(regex.isFeedforward("layers.0.mlp.down_proj")).isTrue();
        assertThat(regex.isFeedforward("layers.0.attn.k_proj")).isFalse();
        assertThat(builder().build().isFeedforward("layers.0.mlp.down_proj")).isFalse();
    }

    @Test
    void feedforwardModulesThatAreNoTargetsAreRefused() {
        assertThatThrownBy(() -> builder().optFeedforwardModules("up_proj", "down_proj").build())
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("feedforward_modules [up_proj]")
                .hasMessageContaining("[k_proj, down_proj]");
        Ia3Config linears =
                Ia3Config.builder()
                        .setTargetModules("all-linear")
                        .optFeedforwardModules("down_porj")
                        .build();
        assertThatThrownBy(() -> linears.validate(List.of(UP)))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("[down_porj]")
                .hasMessageContaining("mlp.up_proj");
        // PEFT does not mind
        read("{\"target_modules\": \"all-linear\", \"feedforward_modules\": [\"down_porj\"]}")
                .validate(List.of(UP));
    }

    @Test
    void settingsThatPeftCannotHoldAreRefused() {
        TargetModules layers =
                TargetModules.builder()
                        .optNames(List.of("k_proj"))
                        .optLayersToTransform(List.of(1))
                        .build();
        assertThatThrownBy(() -> Ia3Config.builder().setTargetModules(layers).build())
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("layers_to_transform");
        assertThatThrownBy(() -> read("{\"target_modules\": [\"k_proj\"]}"))
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("saved")
                .hasMessageContaining("feedforward_modules");
        assertThatThrownBy(() -> builder().optFeedforwardModules("re:(").build())
                .isInstanceOf(AdapterConfigException.class)
                .hasMessageContaining("regular expression");
        assertThatThrownBy(() -> Ia3Config.builder().build())
                .hasMessageContaining("target modules");
    }

    @Test
    void factorsBeginAsOnesOrAreDrawnFromTheSeed() {
        try (NDManager owner = NDManager.newBaseManager()) {
            Ia3Config ones = builder().build();
            assertThat(factors(ones, owner, 1)).hasSize(3).containsOnly(1);
            Ia3Config normal =
                    Ia3Config.builder()
                            .setTargetModules("up_proj")
                            .optFeedforwardModules("up_proj")
                            .optInitWeights(false)
                            .build();
            float[] drawn = factors(normal, owner, 1);
            assertThat(drawn).hasSize(2000).isEqualTo(factors(normal, owner, 1));
            assertThat(drawn).isNotEqualTo(factors(normal, owner, 2));
            double square = 0;
            for (float factor : drawn) {
                square += factor * factor / drawn.length;
            }
            assertThat(square).isCloseTo(1, within(0.1));
        }
    }

    private static float[] factors(Ia3Config config, NDManager owner, long seed) {
        try (NDManager scope = owner.newSubManager();
                AdapterState state = config.create(UP, scope.zeros(UP.shape()), scope, seed)) {
            return state.parameters().get("ia3_l").getArray().toFloatArray();
        }
    }
}
