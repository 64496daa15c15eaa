package io.peft4j.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import io.peft4j.adapters.AdaptedModel;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.FloatBuffer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The layers' kernels keep the base's arrays, and must notice when one becomes another. */
class ReplacedArraysTest {

    private static float[] logits(CausalLm model) {
        try (NDManager scope = model.manager().newSubManager()) {
            return model.logits(scope, TinyModels.ids(scope), null).toFloatArray();
        }
    }

    /** As DJL's {@code loadParameters} does it. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "model.embed_tokens.weight",
                "model.layers.0.input_layernorm.weight",
                "model.layers.0.self_attn.q_proj.weight",
                "model.layers.1.mlp.down_proj.bias",
                "model.norm.weight",
                "lm_head.weight"
            })
    void valuesAreThoseOfTheArrayThatAParameterHasNow(String name)
            throws IOException, MalformedModelException {
        try (CausalLm model = TinyModels.model("biased");
                AdaptedModel adapted = TinyAdapters.attach(model, "dora", 0, "all-linear")) {
            assertThat(adapted.adapter().parameters()).isNotEmpty();
            float[] before = logits(model);
            Parameter parameter = model.parameters().get(name);
            ByteArrayOutputStream saved = new ByteArrayOutputStream();
            parameter.save(new DataOutputStream(saved));
            float[] others = new float[(int) parameter.getShape().size()];
            for (int i = 0; i < others.length; i++) {
                others[i] = 0.01f * (i % 7);
            }
            try (RowWriter writer = new RowWriter(model.manager())) {
                writer.put(parameter.getArray(), 0, FloatBuffer.wrap(others));
            }
            assertThat(logits(model)).isNotEqualTo(before);
            parameter.load(
                    model.manager(),
                    new DataInputStream(new ByteArrayInputStream(saved.toByteArray())));
            assertThat(logits(model)).containsExactly(before);
        }
    }
}
