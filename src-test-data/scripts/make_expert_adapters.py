#!/usr/bin/env python
"""Goldens of adapters on Mixtral's experts, by PEFT: a tiny checkpoint with random weights, adapters with random values,
the logits with each, and optimizer steps in which some experts see no token.

    python make_expert_adapters.py [--out DIR]      (default: the golden folder of this module)

experts/model and experts/golden.safetensors (input_ids, logits); per case experts/<case>/{adapter_config.json,
adapter_model.safetensors,golden.safetensors (logits)}. Those in FUSED were made on transformers' Mixtral, whose experts
are two parameters of a layer, those in SINGLE on mixtral_ref, whose experts are modules, as on transformers 4.
experts/steps.safetensors: two AdamW steps of two micro-batches each (ids.<step>.<micro>), the adapter before (start.*)
and after each step (step1.*, step2.*), of the adapter experts/single_patterns. It has no router: the
gradient of an expert's row there is 0 but for rounding while nobody chooses it, and Adam makes whole steps of that.
"""
import argparse, json, os, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import make_golden as mg  # starts python again with a fixed hash seed

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

GOLDEN = os.path.join(HERE, "..", "src", "main", "resources", "golden")
CONFIG = mg.MIXTRAL | {"hidden_size": 16, "intermediate_size": 12, "num_hidden_layers": 3, "num_attention_heads": 2,
                       "num_key_value_heads": 1, "num_local_experts": 4, "vocab_size": 64}
DECAY = 0.1
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
FUSED = {
    "fused_all": dict(r=3, lora_alpha=6, target_modules=ATTENTION,
                      target_parameters=["gate_up_proj", "down_proj", "gate.weight"]),
    "fused_all_linear": dict(r=2, lora_alpha=4, target_modules="all-linear"),
    "fused_patterns": dict(r=4, lora_alpha=4, target_modules=["q_proj"], use_rslora=True,
                           target_parameters=["model.layers.1.mlp.experts.gate_up_proj", "experts.down_proj"],
                           rank_pattern={r"layers\.1\.mlp\.experts\.gate_up_proj": 5, r"layers\.2\..*": 2},
                           alpha_pattern={r"layers\.0\.mlp\.experts\.down_proj": 16, "q_proj": 2}),
    "fused_layers": dict(r=2, lora_alpha=6, target_modules=["q_proj", "v_proj"], layers_to_transform=[1],
                         target_parameters=["down_proj"]),
    "fused_down": dict(r=2, lora_alpha=2, target_modules=[], target_parameters=["down_proj"]),
}
SINGLE = {
    "single_plain": dict(r=2, lora_alpha=4, target_modules=["q_proj", "gate", "w1", "w2", "w3"]),
    # the scaling of w1 and w3 is one in each layer; no module has two patterns: PEFT sorts them when it saves
    "single_patterns": dict(r=2, lora_alpha=4, target_modules=["v_proj", "w1", "w2", "w3"],
                            rank_pattern={r"layers\.[01]\.block_sparse_moe\.experts\.\d+\.w1": 4,
                                          r"layers\.1\.block_sparse_moe\.experts\.\d+\.w2": 3, "v_proj": 5},
                            alpha_pattern={r"layers\.[01]\.block_sparse_moe\.experts\.\d+\.w1": 8,
                                           r"layers\.2\.block_sparse_moe\..*": 16, "v_proj": 1}),
    "single_layer": dict(r=2, lora_alpha=4, target_modules=["w1", "w2", "w3"], layers_to_transform=[2]),
}


def randomise(model, seed):
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        if p.requires_grad:
            p.data = torch.randn(p.shape, generator=g) * (0.25 if "lora_A" in name else 0.1)


def logits(model, ids):
    with torch.no_grad():
        return mg.forward(model, ids).logits.contiguous()


def make(build, case, settings, ids, base, out, seed):
    settings = dict(settings)
    patterns = {k: settings[k] for k in ("rank_pattern", "alpha_pattern") if k in settings}
    model = get_peft_model(build(), LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    randomise(model, seed)
    model.peft_config["default"].base_model_name_or_path = "golden/experts"
    d = os.path.join(out, case)
    model.save_pretrained(d)
    os.remove(os.path.join(d, "README.md"))
    with open(os.path.join(d, "adapter_config.json")) as f:
        saved = json.load(f)
    for k, v in patterns.items():
        assert {p: saved[k][p] for p in v} == v, (case, k, saved[k])
    found = logits(model, ids)
    again = PeftModel.from_pretrained(build(), d).eval()
    assert (logits(again, ids) - found).abs().max() == 0
    assert (found - base).abs().max() > 1e-2, case
    save_file({"logits": found}, os.path.join(d, "golden.safetensors"))
    print(case, {k: saved[k] for k in ("target_modules", "target_parameters", "rank_pattern", "alpha_pattern")})


def steps(build, out):
    """The first step sends tokens to more experts than the second: what only the first reached stays as it is."""
    model = PeftModel.from_pretrained(build(), os.path.join(out, "single_patterns"), is_trainable=True).train()
    names = {mg.save_key(n): p for n, p in model.named_parameters() if p.requires_grad}
    gold = {"start." + n: p.detach().clone() for n, p in names.items()}
    optimizer = torch.optim.AdamW(list(names.values()), lr=1e-2, weight_decay=DECAY)
    reached = []
    for step, rows in ((1, [[7, 50, 50], [21, 21, 7]]), (2, [[33, 33, 33], [33, 33, 33]])):
        batches = [torch.tensor([row]) for row in rows]
        optimizer.zero_grad(set_to_none=True)
        for micro, ids in enumerate(batches):
            gold[f"ids.{step}.{micro}"] = ids
            loss = torch.nn.functional.cross_entropy(mg.forward(model, ids).logits[0, :-1], ids[0, 1:], reduction="sum")
            (loss / 4).backward()
        least = min(float(p.grad.abs().min()) for p in names.values() if p.grad is not None)
        assert least > 1e-7, least  # ten times eps: rounding must not decide a step
        reached.append({n for n, p in names.items() if p.grad is not None})
        optimizer.step()
        gold |= {f"step{step}." + n: p.detach().clone() for n, p in names.items()}
    left = sorted(reached[0] - reached[1])
    assert len(left) >= 12 and len(reached[1] - reached[0]) >= 6, (len(left), len(reached[1] - reached[0]))
    for n in left:
        assert torch.equal(gold["step1." + n], gold["step2." + n]), n
    save_file({k: v.contiguous() for k, v in gold.items()}, os.path.join(out, "steps.safetensors"))
    print("steps: reached", len(reached[0]), "then", len(reached[1]), "of", len(names), "; only at first", len(left),
          "only then", len(reached[1] - reached[0]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=GOLDEN)
    out = os.path.join(parser.parse_args().out, "experts")
    state = mg.random_state(mg.shapes_llama_like(CONFIG), 41)
    mg.write_checkpoint(os.path.join(out, "model"), CONFIG, state, torch.bfloat16, 1)
    ids = torch.randint(4, CONFIG["vocab_size"], (2, 10), generator=torch.Generator().manual_seed(43))

    def fused():
        return mg.hf_load(CONFIG, state)

    def single():
        return mg.build("mixtral", CONFIG, state)

    base = logits(fused(), ids)
    assert (logits(single(), ids) - base).abs().max() < 1e-5
    save_file({"input_ids": ids, "logits": base}, os.path.join(out, "golden.safetensors"))
    for i, (case, settings) in enumerate(FUSED.items()):
        make(fused, case, settings, ids, base, out, 51 + i)
    for i, (case, settings) in enumerate(SINGLE.items()):
        make(single, case, settings, ids, base, out, 71 + i)
    steps(single, out)


if __name__ == "__main__":
    main()
