#!/usr/bin/env python
"""Golden gradients of ALL base weights of golden/openelm/model, for the golden batch and for the padded one.

    python make_full_gradients.py [--out DIR]      (default: golden/openelm/full beside the model)

Tensors: loss, grad.<weight> for labels = input_ids; padded_loss, padded_grad.<weight> for the padded batch with its
-100 labels. The embedding matrix is the head too, so its gradient comes from both sides.
"""
import argparse, json, os, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import torch
from safetensors.torch import load_file, save_file

import openelm_ref

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

GOLDEN = os.path.join(HERE, "..", "src", "main", "resources", "golden", "openelm")


def gradients(model, ids, labels, prefix):
    model.zero_grad(set_to_none=True)
    loss = model(ids, labels=labels).loss
    loss.backward()
    found = {prefix + "loss": loss.detach().reshape(1)}
    for name, weight in model.named_parameters():
        found[prefix + "grad." + name] = weight.grad.clone()
    return found


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--out", default=os.path.join(GOLDEN, "full"))
    out = args.parse_args().out
    with open(os.path.join(GOLDEN, "model", "config.json")) as f:
        model = openelm_ref.OpenELMForCausalLM(json.load(f))
    model.load_state_dict(load_file(os.path.join(GOLDEN, "model", "model.safetensors")))
    batch = load_file(os.path.join(GOLDEN, "golden.safetensors"))
    tensors = gradients(model, batch["input_ids"], batch["input_ids"], "")
    tensors |= gradients(model, batch["padded_input_ids"], batch["labels"], "padded_")
    # the reference masks padding out of the attention; behind it, causal attention never looks at it
    torch.testing.assert_close(tensors["loss"], batch["loss"].reshape(1))
    torch.testing.assert_close(tensors["padded_loss"], batch["padded_loss"].reshape(1))
    os.makedirs(out, exist_ok=True)
    save_file(tensors, os.path.join(out, "golden.safetensors"), metadata={"format": "pt"})


main()
