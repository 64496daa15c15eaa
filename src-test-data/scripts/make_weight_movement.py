#!/usr/bin/env python
"""Goldens of the DoRA paper's weight decomposition analysis (arXiv:2402.09353, section 3.2), by torch in float64.

    python make_weight_movement.py

Writes ../src/main/resources/golden/movement/golden.safetensors: for each site the weights before.<site> and
after.<site>, float32, and float64 pairs (delta M, delta D) per_output.<site> and per_input.<site>; and the pair
correlation, numpy's Pearson coefficient of delta D with delta M over the sites, per output and per input.
"""
import os

import numpy
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../src/main/resources/golden/movement")
SITES = {"square": (8, 8), "wide": (5, 12), "tall": (12, 4), "conv": (4, 3, 2, 2), "hardly": (6, 7)}


def movement(before, after, dim):
    """dim is the axis that the vectors lie along: 1 for one vector per output, 0 for one per input."""
    magnitude = (after.norm(dim=dim) - before.norm(dim=dim)).abs().mean()
    direction = (1 - torch.nn.functional.cosine_similarity(after, before, dim=dim, eps=0)).mean()
    return torch.stack([magnitude, direction])


torch.manual_seed(7)
golden, moved = {}, {"per_output": [], "per_input": []}
for number, (site, shape) in enumerate(SITES.items()):
    before = torch.randn(shape)
    scale = 1e-4 if site == "hardly" else 0.1 * (number + 1)
    after = (1 + 0.05 * number) * before + scale * torch.randn(shape)
    golden["before." + site], golden["after." + site] = before, after
    for name, dim in (("per_output", 1), ("per_input", 0)):
        pair = movement(before.double().flatten(1), after.double().flatten(1), dim)
        golden[name + "." + site] = pair
        moved[name].append(pair.numpy())
golden["correlation"] = torch.tensor(
    [numpy.corrcoef(numpy.stack(pairs, axis=1))[0, 1] for pairs in moved.values()], dtype=torch.float64)
os.makedirs(OUT, exist_ok=True)
save_file(golden, os.path.join(OUT, "golden.safetensors"))
for key, value in golden.items():
    if not key.startswith(("before", "after")):
        print(key, value.tolist())
