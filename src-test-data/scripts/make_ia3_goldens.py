#!/usr/bin/env python
"""Goldens of (IA)3 under real PEFT: small modules of every kind that PEFT takes, two adapters at once, and the tiny
decoders of the other goldens.

    python make_ia3_goldens.py [blocks] [decoders]

Writes ../src/main/resources/golden/blocks/ia3_<case>/ as block_golden.py says, ia3_named with

    first/, second/          two adapters, as PEFT saves them
    x, y.<which>             the input, and the output with one or both active (first, second, both)
    grad.<which>.x, grad.<which>.<name>.<disk key>, merged.<which>.<torch name>

and ../src/main/resources/golden/<family>/ia3/: PEFT's files and golden.safetensors with logits, greedy, loss and
grad.<key> (labels = input_ids), merged.<name> of the first layer's adapted weights and biases, train_losses and
step5.<key> of five AdamW steps on the padded batch, as make_golden.py has them for LoRA. Targets are PEFT's defaults;
of phi3 and openelm, which it does not know, the fused projection and the feed-forward network's last layer.
"""
import copy, json, os, sys

from block_golden import directory, disk_parameters, distance, named, output, perturb, record, save_adapter, save_golden
from make_block_goldens import GroupedConv2d, Mlp, OneConv2d, OneConv3d, PointConv2d, SmallCnn, TextClassifier, TransposedMlp, floats, ids
import make_golden as mg

import torch
from peft import IA3Config, PeftModel, get_peft_model, get_peft_model_state_dict
from peft.utils import (TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as FEEDFORWARD,
                        TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as TARGETS)
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

ENDS, ALL = ["fc1", "fc3"], ["fc1", "fc2", "fc3"]
BLOCKS = [
    ("ia3_outputs", Mlp, floats(3, 5), dict(target_modules=ENDS, feedforward_modules=[])),
    ("ia3_inputs", Mlp, floats(3, 5), dict(target_modules=ALL, feedforward_modules=["fc2", "fc3"])),
    ("ia3_regex", Mlp, floats(3, 5),
     dict(target_modules="fc[123]", exclude_modules=["fc2"], feedforward_modules=".*3")),
    ("ia3_random", Mlp, floats(3, 5),
     dict(target_modules=ENDS, feedforward_modules=["fc3"], init_ia3_weights=False)),
    ("ia3_conv2d", OneConv2d, floats(2, 3, 6, 5), dict(target_modules=["conv1"], feedforward_modules=[])),
    ("ia3_conv2d_inputs", OneConv2d, floats(2, 3, 6, 5), dict(target_modules=["conv1"], feedforward_modules=["conv1"])),
    ("ia3_conv2d_point", PointConv2d, floats(2, 3, 3, 3), dict(target_modules=["conv1"], feedforward_modules=[])),
    ("ia3_conv2d_groups", GroupedConv2d, floats(2, 4, 4, 4), dict(target_modules=["conv1"], feedforward_modules=[])),
    ("ia3_conv3d", OneConv3d, floats(1, 2, 3, 3, 4), dict(target_modules=["conv1"], feedforward_modules=[])),
    ("ia3_conv3d_inputs", OneConv3d, floats(1, 2, 3, 3, 4), dict(target_modules=["conv1"], feedforward_modules=["conv1"])),
    ("ia3_cnn", SmallCnn, floats(2, 2, 6, 6), dict(target_modules=["conv1", "fc"], feedforward_modules=["fc"])),
    ("ia3_fan_in_fan_out", TransposedMlp, floats(3, 5),
     dict(target_modules=["fc1", "fc2"], feedforward_modules=["fc2"], fan_in_fan_out=True)),
    ("ia3_save_classifier", TextClassifier, ids(13, 3, 5),
     dict(target_modules=["fc"], feedforward_modules=[], modules_to_save=["classifier"])),
]


def both_active(seed=7100):
    """Where one adapter scales outputs the other does too: PEFT goes by the first adapter of a layer."""
    torch.manual_seed(seed)
    base = Mlp().eval()
    x = torch.randn(3, 5)
    gold = named("base.", base) | {"x": x, "disabled": output(base, x).detach()}
    path = directory("ia3_named")
    first = IA3Config(target_modules=ENDS, feedforward_modules=["fc3"])
    second = IA3Config(target_modules=ALL, feedforward_modules=["fc2", "fc3"])
    model = get_peft_model(base, first, adapter_name="first").eval()
    model.add_adapter("second", second)
    trained = {}
    for adapter in ("first", "second"):
        model.set_adapter(adapter)
        trained[adapter] = disk_parameters(model, adapter)
        perturb(trained[adapter].values())
        save_adapter(model, os.path.join(path, adapter), adapter)
    gold["upstream"] = torch.randn(gold["disabled"].shape)
    for which, active in (("first", ["first"]), ("second", ["second"]), ("both", ["first", "second"])):
        model.base_model.set_adapter(active)
        inner = x.clone().requires_grad_()
        model.zero_grad()
        y = output(model, inner)
        (y * gold["upstream"]).sum().backward()
        gold |= {f"y.{which}": y.detach(), f"grad.{which}.x": inner.grad}
        gold |= {f"grad.{which}.{a}.{k}": p.grad.clone() for a in active for k, p in trained[a].items()}
        merged = copy.deepcopy(model).merge_and_unload(safe_merge=True)
        gold |= named(f"merged.{which}.", merged)
        print(f"ia3_named {which}: merged - unmerged {distance(output(merged, x), y):.1e}")
    save_golden(gold, path, " ".join(Mlp.__doc__.split()))


GOLDEN = os.path.join(mg.HERE, "../src/main/resources/golden")
DECODERS = {  # the seed of make_golden.inputs is in the family's own golden
    "llama3": (TARGETS["llama"], FEEDFORWARD["llama"]),
    "llama_bias": (TARGETS["llama"], FEEDFORWARD["llama"]),
    "qwen2": (TARGETS["qwen2"], FEEDFORWARD["qwen2"]),
    "mistral": (TARGETS["mistral"], FEEDFORWARD["mistral"]),
    "mixtral": (TARGETS["mixtral"], FEEDFORWARD["mixtral"]),
    "phi3": (["qkv_proj", "down_proj"], ["down_proj"]),
    "openelm": (["qkv_proj", "proj_2"], ["proj_2"]),
}


def load(family):
    source = os.path.join(GOLDEN, family, "model")
    if family in ("openelm", "mixtral"):
        config = json.load(open(os.path.join(source, "config.json")))
        state = {k: v.float() for k, v in load_file(os.path.join(source, "model.safetensors")).items()}
        return mg.build(family, config, state)
    return AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()


def key(name):
    return name.replace(".default", "")


def decoder(family, targets, feedforward, seed):
    base = load_file(os.path.join(GOLDEN, family, "golden.safetensors"))
    ids, pad, mask, labels = (base[k] for k in ("input_ids", "padded_input_ids", "attention_mask", "labels"))
    out = os.path.join(GOLDEN, family, "ia3")
    model = get_peft_model(load(family), IA3Config(target_modules=targets, feedforward_modules=feedforward,
                                                   task_type="CAUSAL_LM"))
    trained = {key(n): p for n, p in model.named_parameters() if p.requires_grad}
    g = torch.Generator().manual_seed(seed)
    for p in trained.values():
        p.data += 0.3 * torch.randn(p.shape, generator=g)
    model.eval()
    model.peft_config["default"].base_model_name_or_path = "golden/" + family
    model.save_pretrained(out)
    os.remove(os.path.join(out, "README.md"))
    saved = load_file(os.path.join(out, "adapter_model.safetensors"))
    assert set(saved) == set(trained), set(saved) ^ set(trained)
    gold = {}
    with torch.no_grad():
        gold["logits"] = mg.forward(model, ids).logits
        gold["greedy"] = mg.greedy(model, ids[:1, :mg.GREEDY_PROMPT])
        gap = mg.top2_gap(mg.forward(model, gold["greedy"][:, :-1]).logits[:, mg.GREEDY_PROMPT - 1:])
    model.train()
    loss = mg.forward(model, ids, None, ids).loss
    loss.backward()
    gold["loss"] = loss.detach().reshape(1)
    gold |= {"grad." + k: torch.zeros_like(p) if p.grad is None else p.grad.clone() for k, p in trained.items()}
    for p in trained.values():
        p.grad = None
    optimizer, losses, never = torch.optim.AdamW(list(trained.values()), **mg.ADAMW), [], set(trained)
    for _ in range(mg.STEPS):
        optimizer.zero_grad(set_to_none=True)
        loss = mg.forward(model, pad, mask, labels).loss
        loss.backward()
        never -= {k for k, p in trained.items() if p.grad is not None}
        optimizer.step()
        losses.append(loss.item())
    gold["train_losses"] = torch.tensor(losses)
    gold |= {"step5." + k: v for k, v in get_peft_model_state_dict(model).items() if k not in never}
    again = PeftModel.from_pretrained(load(family), out).eval()
    merged = again.merge_and_unload(safe_merge=True).eval()
    with torch.no_grad():
        difference = distance(mg.forward(merged, ids).logits, gold["logits"])
    first = ".layers.0."
    sites = {k.removeprefix("base_model.model.").removesuffix(".ia3_l") for k in trained if first in k}
    gold |= {"merged." + n: p for n, p in merged.named_parameters() if n.rsplit(".", 1)[0] in sites}
    save_file({k: v.detach().contiguous().clone() for k, v in gold.items()}, os.path.join(out, "golden.safetensors"))
    print(f"{family}: {len(trained)} tensors of {sum(p.numel() for p in trained.values())}, on - base "
          f"{distance(gold['logits'], base['logits']):.2f}, merged - on {difference:.1e}, greedy gap {gap:.1e}, "
          f"untouched {len(never)}, losses {' '.join(f'{x:.4f}' for x in losses)}")


if __name__ == "__main__":
    todo = sys.argv[1:] or ["blocks", "decoders"]
    if "blocks" in todo:
        for number, (case, build, x, settings) in enumerate(BLOCKS):
            record(case, build, IA3Config(**settings), x, 7000 + number)
        both_active()
    if "decoders" in todo:
        for number, (family, (targets, feedforward)) in enumerate(DECODERS.items()):
            decoder(family, list(targets), list(feedforward), 7200 + number)
