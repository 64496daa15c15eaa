#!/usr/bin/env python
"""Goldens of the decoder families beyond make_golden.py, by transformers: tiny random checkpoints, logits, losses,
greedy text, hidden states and the gradients of all weights.

    python make_families.py [--out DIR] [--stories DIR]      (default: the golden folder of this module)

Per family <name>/model (published-style config.json, model.safetensors), <name>/config_v5.json (the same config as
transformers 5 saves it) and <name>/golden.safetensors, as make_golden.py describes it, with grad.<weight> for labels =
input_ids. Beyond the families: mixtral/model-fused (the experts as transformers 5 has them in memory), mixtral/full
(gradients with the router's auxiliary loss, on the padded batch), phi3/crossing.safetensors (greedy text that grows
beyond the original length of longrope), stories260K/golden.safetensors (a real checkpoint's losses and text).
"""
import argparse, copy, json, os, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import make_golden as mg  # starts python again with a fixed hash seed

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

GOLDEN = os.path.join(HERE, "..", "src", "main", "resources", "golden")

COMMON = {
    "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 32,
    "initializer_range": 0.02, "intermediate_size": 40, "max_position_embeddings": 128, "num_attention_heads": 4,
    "num_hidden_layers": 3, "num_key_value_heads": 2, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
    "transformers_version": "4.40.0", "use_cache": True, "vocab_size": mg.VOCAB,
}
FAMILIES = {
    "mistral": COMMON | {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "rms_norm_eps": 1e-05,
                         "rope_theta": 10000.0, "sliding_window": 4},
    "qwen2": COMMON | {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "rms_norm_eps": 1e-06,
                       "rope_theta": 1000000.0, "use_sliding_window": True, "sliding_window": 5,
                       "max_window_layers": 1, "tie_word_embeddings": True},
    # what LLaMA has beyond llama3: biases everywhere, a head wider than hidden / heads, linear scaling
    "llama_bias": COMMON | {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "rms_norm_eps": 1e-06,
                            "rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 4.0}, "head_dim": 12,
                            "attention_bias": True, "mlp_bias": True, "num_hidden_layers": 2},
    # as Phi-4-mini: a part of each head rotated, tied, longrope
    "phi_partial": COMMON | {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "rms_norm_eps": 1e-05,
                             "rope_theta": 10000.0, "partial_rotary_factor": 0.75, "tie_word_embeddings": True,
                             "sliding_window": None, "original_max_position_embeddings": 32, "embd_pdrop": 0.0,
                             "resid_pdrop": 0.0, "pad_token_id": 3, "num_hidden_layers": 2,
                             "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.1, 1.2],
                                              "long_factor": [1.5, 2.5, 4.5]}},
}
VARIANTS = {
    "mistral": {"unlimited": {"sliding_window": None}, "wide": {"sliding_window": 7}},
    "qwen2": {"unused": {"use_sliding_window": False}},
    "llama_bias": {},
    "phi_partial": {},
}


def shapes(c):
    s = mg.shapes_llama_like(c)
    for name in [n for n in s if n.endswith("_proj.weight")]:
        biased = ("self_attn" in name and (c.get("attention_bias") or c["model_type"] == "qwen2" and "o_proj" not in name)
                  or "mlp" in name and c.get("mlp_bias"))
        if biased:
            s[name.replace("weight", "bias")] = (s[name][0],)
    if c["tie_word_embeddings"]:
        del s["lm_head.weight"]
    return s


def state(c, seed):
    found = mg.random_state(shapes(c), seed)
    g = torch.Generator().manual_seed(seed + 1)
    for name in found:
        if name.endswith("bias"):
            found[name] = mg.exact16(0.3 * torch.randn(found[name].shape, generator=g))
    return found


def load(config, weights):
    """As mg.hf_load, for tied models too."""
    with tempfile.TemporaryDirectory() as d:
        mg.write_checkpoint(d, config, weights, torch.float32, 1)
        m, info = AutoModelForCausalLM.from_pretrained(d, dtype=torch.float32, attn_implementation="eager",
                                                       output_loading_info=True)
    assert not info["unexpected_keys"] and not info["missing_keys"] and not info["mismatched_keys"], info
    return m.eval()


def save(tensors, path):
    save_file(clean(tensors), path, metadata={"format": "pt"})
    os.chmod(path, 0o644)


def clean(tensors):
    return {k: v.detach().float().contiguous().clone() if v.is_floating_point() else v.contiguous().clone()
            for k, v in tensors.items()}


def config_v5(config, path):
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "config.json"), "w") as f:
            json.dump(config, f)
        AutoConfig.from_pretrained(d).save_pretrained(d)
        with open(os.path.join(d, "config.json")) as f, open(path, "w") as out:
            out.write(f.read())


def family(out, name, config, seed):
    base = os.path.join(out, name)
    weights = state(config, seed)
    mg.write_checkpoint(os.path.join(base, "model"), config, weights, torch.bfloat16, 1)
    config_v5(config, os.path.join(base, "config_v5.json"))
    ids, pad, mask, labels = mg.inputs(seed)
    m = load(config, weights)
    loss = m(input_ids=ids, labels=ids).loss
    loss.backward()
    tensors = {"input_ids": ids, "loss": loss.reshape(1), "padded_input_ids": pad, "attention_mask": mask, "labels": labels}
    tensors |= {"grad." + n: p.grad for n, p in m.named_parameters()}
    with torch.no_grad():
        tensors["logits"] = m(input_ids=ids).logits
        padded = m(input_ids=pad, attention_mask=mask, labels=labels)
        tensors |= {"padded_logits": padded.logits, "padded_loss": padded.loss.reshape(1)}
        tensors["greedy"] = mg.greedy(m, ids[:1, :4])
        cached = m.generate(ids[:1, :4], max_new_tokens=8, do_sample=False, eos_token_id=None, pad_token_id=3)
        assert torch.equal(cached, tensors["greedy"]), (cached, tensors["greedy"])
        gap = mg.top2_gap(m(input_ids=tensors["greedy"]).logits[:, 3:-1])
        tensors |= mg.hidden_states(name, m, ids)
        for variant, changes in VARIANTS[name].items():
            tensors[f"variant.{variant}.logits"] = load(config | changes, weights)(input_ids=ids).logits
            assert (tensors[f"variant.{variant}.logits"] - tensors["logits"]).abs().max() > 0.1
    save(tensors, os.path.join(base, "golden.safetensors"))
    print(name, sum(p.numel() for p in m.parameters()), "parameters, greedy gap", gap)


def fused_mixtral(out):
    base = os.path.join(out, "mixtral")
    config = json.load(open(os.path.join(base, "model", "config.json")))
    weights = {k: v.float() for k, v in load_file(os.path.join(base, "model", "model.safetensors")).items()}
    m = load(config, weights)
    os.makedirs(os.path.join(base, "model-fused"), exist_ok=True)
    fused = {k: v.to(torch.bfloat16).contiguous() for k, v in m.state_dict().items()}
    save_file(fused, os.path.join(base, "model-fused", "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(base, "model-fused", "config.json"), "w") as f:
        json.dump(config, f, indent=1, sort_keys=True)
    config_v5(config, os.path.join(base, "config_v5.json"))
    golden = load_file(os.path.join(base, "golden.safetensors"))
    found = m(input_ids=golden["padded_input_ids"], attention_mask=golden["attention_mask"], labels=golden["labels"],
              output_router_logits=True)
    torch.testing.assert_close(found.aux_loss.reshape(1), golden["padded_aux_loss"].reshape(1))
    found.loss.backward()
    tensors = {"loss": found.loss.reshape(1)}
    for name, p in m.named_parameters():
        at = "grad." + name.replace(".mlp.", ".block_sparse_moe.")
        if name.endswith("gate_up_proj"):
            f = p.shape[1] // 2
            for e in range(p.shape[0]):
                stem = at.replace("gate_up_proj", f"{e}.w%d.weight")
                tensors[stem % 1], tensors[stem % 3] = p.grad[e, :f], p.grad[e, f:]
        elif name.endswith("experts.down_proj"):
            for e in range(p.shape[0]):
                tensors[at.replace("down_proj", f"{e}.w2.weight")] = p.grad[e]
        else:
            tensors[at] = p.grad
    os.makedirs(os.path.join(base, "full"), exist_ok=True)
    save(tensors, os.path.join(base, "full", "golden.safetensors"))


def crossing_phi3(out):
    base = os.path.join(out, "phi3")
    config = json.load(open(os.path.join(base, "model", "config.json"))) | mg.longrope(1.05, 1.5, 9, 64)
    weights = {k: v.float() for k, v in load_file(os.path.join(base, "model", "model.safetensors")).items()}
    m = load(config, weights)
    ids = load_file(os.path.join(base, "golden.safetensors"))["input_ids"][:1, :4]
    with torch.no_grad():
        greedy = mg.greedy(m, ids)  # each step on the whole text; generate() keeps keys of the short factors' rotation
        gaps = [mg.top2_gap(m(input_ids=greedy[:, :n]).logits[:, -1]) for n in range(4, 12)]
    save({"greedy": greedy}, os.path.join(base, "crossing.safetensors"))
    config_v5(config, os.path.join(base, "config_v5.json"))
    with open(os.path.join(base, "crossing.json"), "w") as f:
        json.dump(config, f, indent=1, sort_keys=True)
    print("crossing", greedy.tolist(), "least gap", min(gaps))


def llama31(out):
    base = os.path.join(out, "llama3")
    config = json.load(open(os.path.join(base, "model", "config.json")))
    config_v5(config | mg.VARIANTS["llama3"]["rope_llama31"], os.path.join(base, "config_v5.json"))


def stories(out, source):
    m = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        text = m.generate(torch.tensor([[1]]), max_new_tokens=63, do_sample=False, eos_token_id=None, pad_token_id=0)
        g = torch.Generator().manual_seed(7)
        noisy = torch.where(torch.rand(text.shape, generator=g) < 0.1, torch.randint(3, 512, text.shape, generator=g), text)
        ids = torch.cat([text, noisy])
        found = m(input_ids=ids, labels=ids)
    os.makedirs(os.path.join(out, "stories260K"), exist_ok=True)
    save({"input_ids": ids, "greedy": text, "loss": found.loss.reshape(1), "last_logits": found.logits[:, -1]},
         os.path.join(out, "stories260K", "golden.safetensors"))
    print("stories", found.loss.item())


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--out", default=GOLDEN)
    args.add_argument("--stories", default=os.path.join(GOLDEN, "stories260K", "model"))
    a = args.parse_args()
    for i, (name, config) in enumerate(FAMILIES.items()):
        family(a.out, name, copy.deepcopy(config), 7000 + 10 * i)
    fused_mixtral(a.out)
    crossing_phi3(a.out)
    llama31(a.out)
    stories(a.out, a.stories)


main()
