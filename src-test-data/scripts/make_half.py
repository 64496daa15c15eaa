#!/usr/bin/env python
"""How far transformers and PEFT are from themselves in 16 bits: golden/half.json.

    python make_half.py [--out FILE]

For the tiny models and their adapters, the relative distance ||x16 - x32|| / ||x32|| of the logits and of all
adapters' gradients together, the median over the batches: a token that one rounding sends to other experts changes its
batch by far more than all the rest, and which tokens are sent elsewhere is chance. The base and the activations are bfloat16 or float16,
the adapters float32, which is PEFT's default; "cast" is the same with the adapters in 16 bits too.
"""
import argparse, json, os, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import make_golden as mg  # starts python again with a fixed hash seed

import torch
from peft import PeftModel
from safetensors.torch import load_file

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

GOLDEN = os.path.join(HERE, "..", "src", "main", "resources", "golden")
BATCHES, ROWS, TOKENS = 6, 4, 24
ADAPTERS = [f"{family}/{method}" for family in ("llama3", "phi3", "openelm", "mixtral") for method in ("lora", "dora")]


def measure(family, adapter, batches, dtype, cast):
    path = os.path.join(GOLDEN, family, "model")
    with open(os.path.join(path, "config.json")) as f:
        config = json.load(f)
    model = mg.build(family, config, load_file(os.path.join(path, "model.safetensors"))).to(dtype)
    model = PeftModel.from_pretrained(
        model, os.path.join(GOLDEN, adapter), is_trainable=True, autocast_adapter_dtype=not cast).eval()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    if not cast:
        assert all(p.dtype == torch.float32 for p in trained.values())
    logits, gradients, losses = [], [], []
    for ids in batches:
        model.zero_grad(set_to_none=True)
        out = model(input_ids=ids, labels=ids)
        out.loss.backward()
        logits.append(out.logits.detach().double().flatten())
        losses.append(out.loss.item())
        gradients.append(torch.cat([trained[n].grad.double().flatten() for n in sorted(trained)]))
    return logits, gradients, losses


def distance(some, exact):
    ratios = torch.stack([(x - y).norm() / y.norm() for x, y in zip(some, exact)])
    return round(ratios.quantile(0.5).item(), 6)


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--out", default=os.path.join(GOLDEN, "half.json"))
    out = args.parse_args().out
    generator = torch.Generator().manual_seed(16)
    batches = [torch.randint(4, 260, (ROWS, TOKENS), generator=generator) for _ in range(BATCHES)]
    cases = []
    for adapter in ADAPTERS:
        family = adapter.split("/")[0]
        exact = measure(family, adapter, batches, torch.float32, False)
        for dtype in (torch.bfloat16, torch.float16):
            found = {"adapter": adapter, "dtype": str(dtype).removeprefix("torch."), "losses": exact[2]}
            for cast in (False, True):
                logits, gradients, _ = measure(family, adapter, batches, dtype, cast)
                prefix = "cast_" if cast else ""
                found[prefix + "logits"] = distance(logits, exact[0])
                found[prefix + "gradients"] = distance(gradients, exact[1])
            print({k: v for k, v in found.items() if k != "losses"}, flush=True)
            cases.append(found)
    with open(out, "w") as f:
        json.dump({"ids": [b.tolist() for b in batches], "cases": cases}, f)
        f.write("\n")


main()
