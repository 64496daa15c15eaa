package io.peft4j.dora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapter;
import io.peft4j.adapters.Adapters;
import io.peft4j.adapters.TinyModel;
import io.peft4j.lora.AdapterCombination;
import io.peft4j.lora.CombinationReport;
import io.peft4j.lora.LoraConfig;
import io.peft4j.torch.Tensors;
import org.junit.jupiter.api.Test;

/** A DoRA adapter in a combination with a LoRA adapter. */
class DoraCombinationTest {

    @Test
    void aDoraAdapterIsCutToARankAndNeverConcatenated() {
        try (TinyModel base = new TinyModel(true);
                NDManager scope = base.manager().newSubManager();
                AdaptedModel model =
                        Adapters.attach(
                                base,
                                DoraConfig.builder()
                                        .setRank(2)
                                        .setTargetModules("all-linear")
                                        .build())) {
            model.add("l", LoraConfig.builder().setRank(3).setTargetModules("up").build());
            move(model.adapter("default"));
            move(model.adapter("l"));
            AdapterCombination.Builder both =
                    AdapterCombination.builder().addAdapter("default", 0.75).addAdapter("l", -2);
            assertThatThrownBy(() -> both.build().addTo(model, "sum"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("default is dora")
                    .hasMessageContaining("give a rank");
            assertThat(model.names()).containsExactly("default", "l");

            CombinationReport report = both.optRank(5).build().addTo(model, "sum");
            assertThat(report.largestError()).isLessThan(1e-5);
            NDArray expected =
                    model.adapter("default")
                            .delta(scope, "body.up")
                            .mul(0.75f)
                            .sub(model.adapter("l").delta(scope, "body.up").mul(2));
            NDArray actual = model.adapter("sum").delta(scope, "body.up");
            assertThat(actual.sub(expected).abs().max().getFloat()).isLessThan(5e-6f);
            assertThat(both.optRank(1).build().addTo(model, "cut").largestError())
                    .isGreaterThan(0.1);
        }
    }

    private static void move(Adapter adapter) {
        adapter.parameters()
                .values()
                .forEach(
                        parameter -> {
                            NDArray array = parameter.getArray();
                            try (NDManager scope = array.getManager().newSubManager()) {
                                NDArray noise =
                                        scope.randomNormal(
                                                0, 0.5f, array.getShape(), DataType.FLOAT32);
                                Tensors.copy(noise.add(array), array);
                            }
                        });
    }
}
