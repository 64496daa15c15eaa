#!/usr/bin/env python
"""Loads what Java wrote for the models of make_torchscript.py into Python.

    python check_torchscript.py DIR

DIR holds, per case, ADAPTER/ (PEFT's format), merged.pt, resaved.pt and out.safetensors with the
inputs `in.N` and Java's output `out`, as PythonInterchangeTest leaves them with
-Dpeft4j.interchange=DIR. Real PEFT must load the adapter onto the original model, and torch the
merged archives, with the same output.
"""
import pathlib
import sys

import torch
from peft import PeftModel
from safetensors.torch import load_file

from make_torchscript import CASES, logits, make

worst = 0.0
for folder in sorted(p for p in pathlib.Path(sys.argv[1]).iterdir() if p.is_dir()):
    model, inputs, _ = make(CASES[folder.name][0])
    tensors = load_file(folder / "out.safetensors")
    inputs = [tensors[f"in.{i}"] for i in range(len(inputs))]
    bound = 4e-3 if "half" in folder.name else 1e-5
    with torch.no_grad():
        found = {"adapter": logits(PeftModel.from_pretrained(model, folder / "adapter").eval(), inputs)}
        for archive in ("merged.pt", "resaved.pt"):
            found[archive] = torch.jit.load(folder / archive)(*inputs).float()
    for what, out in found.items():
        distance = (out - tensors["out"]).abs().max().item()
        print(f"{folder.name:16} {what:12} {distance:.2e}")
        assert distance <= bound, (folder, what, distance)
