package io.peft4j.adapters;

import ai.djl.modality.nlp.DefaultVocabulary;
import ai.djl.modality.nlp.embedding.TrainableWordEmbedding;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import java.util.List;
import java.util.stream.IntStream;

/** The modules of the goldens about parameters that an adapter trains itself. */
public final class OwnNets {

    private OwnNets() {}

    /** Builds the module of a case. */
    public static BlockNet of(String name, NDManager manager) {
        if (name.startsWith("bias_")) {
            return threeLayers(manager);
        }
        if (name.startsWith("save_")) {
            return classifier(manager, name.contains("norm"));
        }
        if (name.startsWith("tied_")) {
            return tiedLlama(manager);
        }
        return tokens(manager, name.contains("list") ? "embed_tokens" : "embed", name);
    }

    static Linear linear(long units) {
        return Linear.builder().setUnits(units).build();
    }

    static Block embedding(int entries, int dimension) {
        List<String> words = IntStream.range(0, entries).mapToObj(i -> "word" + i).toList();
        return TrainableWordEmbedding.builder()
                .setVocabulary(new DefaultVocabulary(words))
                .setEmbeddingSize(dimension)
                .build();
    }

    static BlockNet threeLayers(NDManager manager) {
        return new BlockNet()
                .add("fc1", linear(6), 1, 5)
                .add("fc2", linear(6), 1, 6)
                .add("fc3", linear(4), 1, 6)
                .build(
                        manager,
                        p -> {
                            NDArray h = p.call("fc1", p.x()).tanh();
                            return p.call("fc3", p.call("fc2", h).tanh());
                        });
    }

    static BlockNet classifier(NDManager manager, boolean norm) {
        BlockNet net = new BlockNet().add("embed", embedding(13, 6), 1);
        if (norm) {
            net.add("norm", LayerNorm.builder().axis(1).build(), 1, 6);
        }
        return net.add("fc", linear(6), 1, 6)
                .add("classifier", linear(3), 1, 6)
                .build(
                        manager,
                        p -> {
                            NDArray h = p.kernel("mean", p.call("embed", p.x()));
                            NDArray normed = norm ? p.call("norm", h) : h;
                            return p.call("classifier", p.call("fc", normed).tanh());
                        });
    }

    static BlockNet tokens(NDManager manager, String embed, String name) {
        BlockNet net = new BlockNet().add(embed, new AdaptableEmbedding(11, 6, List.of()), 1);
        boolean two = name.contains("two");
        if (two) {
            net.add("kinds", embedding(5, 6), 1);
        }
        return net.add("fc", linear(4), 1, 6)
                .build(
                        manager,
                        p -> {
                            NDArray h = p.call(embed, p.x());
                            if (two) {
                                h = h.add(p.call("kinds", p.kernel("remainder", p.x())));
                            }
                            return p.call("fc", h);
                        });
    }

    /** A Llama of one block whose head is its embedding. */
    public static BlockNet tiedLlama(NDManager manager) {
        AdaptableEmbedding embedding = new AdaptableEmbedding(24, 16, List.of());
        AdaptableLinear head =
                AdaptableLinear.builder().setFeatures(16, 24).optTiedTo(embedding).build();
        String attention = "model.layers.0.self_attn.";
        String mlp = "model.layers.0.mlp.";
        return new BlockNet()
                .add("model.embed_tokens", embedding, 1)
                .add(attention + "q_proj", plain(16), 1, 16)
                .add(attention + "k_proj", plain(8), 1, 16)
                .add(attention + "v_proj", plain(8), 1, 16)
                .add(attention + "o_proj", plain(16), 1, 16)
                .add(mlp + "gate_proj", plain(20), 1, 16)
                .add(mlp + "up_proj", plain(20), 1, 16)
                .add(mlp + "down_proj", plain(16), 1, 20)
                .addRms("model.layers.0.input_layernorm", 16)
                .addRms("model.layers.0.post_attention_layernorm", 16)
                .addRms("model.norm", 16)
                .add("lm_head", head, 1, 16)
                .build(
                        manager,
                        p -> {
                            NDArray h = p.call("model.embed_tokens", p.x());
                            NDArray a = p.rms("model.layers.0.input_layernorm", h);
                            NDArray mixed =
                                    p.kernel(
                                            "attend",
                                            p.call(attention + "q_proj", a),
                                            p.call(attention + "k_proj", a),
                                            p.call(attention + "v_proj", a));
                            h = h.add(p.call(attention + "o_proj", mixed));
                            NDArray b = p.rms("model.layers.0.post_attention_layernorm", h);
                            NDArray gate = p.kernel("silu", p.call(mlp + "gate_proj", b));
                            NDArray up = gate.mul(p.call(mlp + "up_proj", b));
                            h = h.add(p.call(mlp + "down_proj", up));
                            return p.call("lm_head", p.rms("model.norm", h));
                        });
    }

    private static Linear plain(long units) {
        return Linear.builder().setUnits(units).optBias(false).build();
    }
}
