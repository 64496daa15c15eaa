package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.AdapterScope;
import io.peft4j.adapters.Adapters;
import io.peft4j.torch.Tensors;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is prepared of adapters is kept from pass to pass, and is always that of now. */
class KeptPassesTest {

    private static float[] logits(CausalLm model) {
        try (NDManager owner = model.manager().newSubManager()) {
            return model.logits(owner, TinyModels.ids(owner), null).toFloatArray();
        }
    }

    /** The blocks keep nothing. */
    private static float[] byBlocks(CausalLm model) {
        model.useLayerKernels(false);
        try {
            return logits(model);
        } finally {
            model.useLayerKernels(true);
        }
    }

    private static void write(Parameter parameter, float factor) {
        NDArray array = parameter.getArray();
        try (NDManager scope = array.getManager().newSubManager()) {
            float[] values = array.toFloatArray();
            for (int i = 0; i < values.length; i++) {
                values[i] = factor * values[i] + 0.1f * ((i % 7) - 3);
            }
            Tensors.copy(Tensors.of(scope, values, array.getShape()), array);
        }
    }

    private static Parameter parameter(AdaptedModel adapted, String suffix) {
        return adapted.adapter().parameters().entrySet().stream()
                .filter(entry -> entry.getKey().endsWith(suffix))
                .findFirst()
                .orElseThrow()
                .getValue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "dora"})
    void aPassFollowsEverythingThatIsWrittenTo(String method) {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(), TinyAdapters.config(method, 0, "all-linear"))) {
            float[] before = logits(model);
            for (String written :
                    new String[] {
                        "q_proj.lora_B.weight",
                        "up_proj.lora_B.weight",
                        "q_proj.lora_A.weight",
                        "lora_magnitude_vector"
                    }) {
                if (method.equals("dora") || !written.endsWith("vector")) {
                    write(parameter(adapted, written), 1.5f);
                    float[] now = logits(model);
                    assertThat(now).as(written).isNotEqualTo(before);
                    Golden.assertClose(written, now, byBlocks(model), 2e-5);
                    before = now;
                }
            }
            Parameter weight =
                    model.parameters().values().stream().skip(1).findFirst().orElseThrow();
            write(weight, 0.9f);
            assertThat(logits(model)).isNotEqualTo(before);
            Golden.assertClose("a base weight", logits(model), byBlocks(model), 2e-5);
        }
    }

    @Test
    void aPassFollowsAnArrayThatTakesThePlaceOfAnother() throws Exception {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(), TinyAdapters.config("dora", 0, "all-linear"))) {
            float[] first = logits(model);
            Parameter b = parameter(adapted, "up_proj.lora_B.weight");
            ByteArrayOutputStream saved = new ByteArrayOutputStream();
            b.save(new DataOutputStream(saved));
            write(b, 1);
            assertThat(logits(model)).isNotEqualTo(first);
            NDArray old = b.getArray();
            b.load(
                    model.manager(),
                    new DataInputStream(new ByteArrayInputStream(saved.toByteArray())));
            assertThat(b.getArray()).isNotSameAs(old);
            assertThat(logits(model)).containsExactly(first);
        }
    }

    @Test
    void adaptersTakeTurnsAndAreDeletedAndMerged() {
        try (CausalLm model = TinyModels.model("llama");
                AdaptedModel adapted =
                        Adapters.attach(
                                model.block(), TinyAdapters.config("lora", 0, "all-linear"))) {
            write(parameter(adapted, "q_proj.lora_B.weight"), 1);
            float[] first = logits(model);
            for (int i = 0; i < 12; i++) { // more than are kept
                String name = "a" + i;
                adapted.add(name, TinyAdapters.config(i % 2 == 0 ? "dora" : "lora", 0, "q_proj"));
                adapted.activate(name);
                write(parameter(adapted, "q_proj.lora_B.weight"), 1 + i);
                Golden.assertClose(name, logits(model), byBlocks(model), 2e-5);
                try (AdapterScope scope = adapted.use(AdaptedModel.DEFAULT)) {
                    assertThat(logits(model)).containsExactly(first);
                }
                if (i % 3 == 0) {
                    adapted.delete(name);
                }
            }
            adapted.activate(AdaptedModel.DEFAULT);
            assertThat(logits(model)).containsExactly(first);
            adapted.merge();
            Golden.assertClose("merged", logits(model), first, 1e-4);
            adapted.unmerge();
            assertThat(logits(model)).containsExactly(first);
        }
    }

    @Test
    void nothingStaysOfAdaptersThatComeAndGo() {
        try (CausalLm model = TinyModels.model("llama")) {
            logits(model);
            int before = -1;
            for (int i = 0; i < 20; i++) {
                try (AdaptedModel adapted =
                        Adapters.attach(
                                model.block(), TinyAdapters.config("dora", 0, "all-linear"))) {
                    logits(model);
                    logits(model);
                }
                int now = model.manager().getManagedArrays().size();
                assertThat(now).isEqualTo(i == 0 ? now : before);
                before = now;
            }
        }
    }
}
