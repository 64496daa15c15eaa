#!/usr/bin/env python
"""Goldens of weighted combinations of LoRA adapters by PEFT's add_weighted_adapter.

    python make_block_combinations.py

Writes ../src/main/resources/golden/blocks/combine_<base>/: an adapter folder for each named adapter, golden.safetensors
with base.<torch name> and delta.<name>.<module>, the dense scaled delta of each adapter in the shape of the module's
weight; and for each combination a folder <combination>/ with

    adapter/                the combined adapter as PEFT saves it (alpha = rank)
    golden.safetensors      weights                what add_weighted_adapter was given, in the order of its adapters
                            dense_sum.<module>     sum of weight * delta of the adapters that have the module
                            delta.<module>         the dense delta of PEFT's combined adapter; peft_delta.<module> where it
                                                   is wrong (rsLoRA: off by the square root of the new rank)
                            before_svd.<module>    svd types: what is cut to the rank, in the shape of the module's weight
                            mask.<module>.<part>.<adapter>
                                                   the 0/1 masks that DARE drew; part is A, B or, for svd types, delta

Metadata of the latter: "call" (JSON: adapters, combination_type, density, majority_sign_method, svd_rank).
"""
import json, os

from block_golden import directory, disk_parameters, named, perturb, save_adapter
from make_block_goldens import SmallCnn, TokenNet

import peft.utils.merge_utils as merge_utils
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn


class Pair(nn.Module):
    """fc1 = Linear(7, 6); fc2 = Linear(6, 5), both with bias; y = fc2(tanh(fc1(x)))"""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(7, 6), nn.Linear(6, 5)

    def forward(self, x):
        return self.fc2(torch.tanh(self.fc1(x)))


class Witness:
    """Keeps the masks that DARE draws and the matrices that are cut by SVD while a combination is made."""

    def __enter__(self):
        self.masks, self.matrices = [], []
        self.pruning, self.svd = merge_utils.random_pruning, torch.linalg.svd

        def pruning(tensor, density, rescale):
            state = torch.random.get_rng_state()
            self.masks.append(torch.bernoulli(torch.full_like(tensor, density)))
            torch.random.set_rng_state(state)
            return self.pruning(tensor, density, rescale)

        def svd(matrix, **options):
            self.matrices.append(matrix.detach().clone())
            return self.svd(matrix, **options)

        merge_utils.random_pruning, torch.linalg.svd = pruning, svd
        return self

    def __exit__(self, *_):
        merge_utils.random_pruning, torch.linalg.svd = self.pruning, self.svd


def delta(layer, adapter):
    return layer.get_delta_weight(adapter).detach().clone()


def combine(model, folder, combination, adapters, weights, modules, seed, **options):
    torch.manual_seed(seed)
    with Witness() as witness:
        model.base_model.add_weighted_adapter(adapters, weights, combination, **options)
    tensors, report = {"weights": torch.tensor(weights)}, []
    # The combined adapter takes over the first one's use_rslora, though alpha = rank was meant to make the scale 1.
    wrong = model.peft_config[combination].use_rslora
    for module in modules:
        layer = getattr(model.base_model.model, module)
        present = [(a, w) for a, w in zip(adapters, weights) if a in layer.scaling]
        combined, dense = delta(layer, combination), sum(w * delta(layer, a) for a, w in present)
        tensors[("peft_delta." if wrong else "delta.") + module] = combined
        tensors["dense_sum." + module] = dense
        report.append(f"{module}: rank {layer.r[combination]}, "
                      f"|combined - dense sum| / |dense sum| {(combined - dense).norm() / dense.norm():.1e}, "
                      f"|combined| / |dense sum| {combined.norm() / dense.norm():.3f}")
        svd = options["combination_type"].endswith("svd")
        if svd:
            matrix = witness.matrices.pop(0)
            embedding = isinstance(layer.get_base_layer(), nn.Embedding)
            tensors["before_svd." + module] = matrix.t() if embedding else matrix.view(dense.shape)
        for part in (["delta"] if svd else ["A", "B"]) if witness.masks else []:
            for adapter, _ in present:
                tensors[f"mask.{module}.{part}.{adapter}"] = witness.masks.pop(0)
    assert not witness.masks and not witness.matrices
    path = directory(folder, combination)
    save_adapter(model, os.path.join(path, "adapter"), combination)
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, os.path.join(path, "golden.safetensors"),
              metadata={"call": json.dumps(dict(adapters=adapters, **options))})
    print(f"{folder}/{combination}: {'; '.join(report)}")


def base_with(name, build, seed, **adapters):
    torch.manual_seed(seed)
    base = build().eval()
    gold = named("base.", base)
    path = directory("combine_" + name)
    model, first = None, next(iter(adapters))
    for adapter, settings in adapters.items():
        config = LoraConfig(**settings)
        if model is None:
            model = get_peft_model(base, config, adapter_name=adapter).eval()
        else:
            model.add_adapter(adapter, config)
        model.set_adapter(adapter)
        perturb(disk_parameters(model, adapter).values(), 0.5)
        save_adapter(model, os.path.join(path, adapter), adapter)
    modules = [m for m, layer in model.base_model.model.named_children() if hasattr(layer, "scaling")]
    for module in modules:
        layer = getattr(model.base_model.model, module)
        gold.update({f"delta.{a}.{module}": delta(layer, a) for a in adapters if a in layer.scaling})
    save_file({k: v.contiguous().clone() for k, v in gold.items()}, os.path.join(path, "golden.safetensors"),
              metadata={"model": " ".join(build.__doc__.split())})
    return model, "combine_" + name, modules


def linear():
    both = ["fc1", "fc2"]
    model, folder, modules = base_with(
        "linear", Pair, 7000,
        a=dict(r=3, lora_alpha=5, target_modules=both), b=dict(r=3, lora_alpha=6, target_modules=both),
        c=dict(r=2, lora_alpha=3, target_modules=both), d=dict(r=3, lora_alpha=4, target_modules=["fc1"]))
    different, same = ["a", "b", "c"], ["a", "b"]
    cases = [
        ("cat", different, [0.7, -0.4, 1.2], dict(combination_type="cat")),
        ("cat_missing_module", ["a", "d"], [0.7, 0.5], dict(combination_type="cat")),
        ("svd", different, [0.7, -0.4, 1.2], dict(combination_type="svd")),
        ("svd_rank_2", different, [0.7, -0.4, 1.2], dict(combination_type="svd", svd_rank=2)),
        ("svd_rank_5", different, [0.7, -0.4, 1.2], dict(combination_type="svd", svd_rank=5)),
        ("linear", same, [0.6, 0.9], dict(combination_type="linear")),
        ("linear_negative", same, [0.6, -0.9], dict(combination_type="linear")),
        ("linear_single", ["a"], [0.6], dict(combination_type="linear")),
        ("ties_total", same, [0.6, 0.9], dict(combination_type="ties", density=0.5, majority_sign_method="total")),
        ("ties_frequency", same, [0.6, 0.9],
         dict(combination_type="ties", density=0.5, majority_sign_method="frequency")),
        ("ties_density_0_3", same, [0.6, 0.9], dict(combination_type="ties", density=0.3)),
        ("ties_negative", same, [0.6, -0.9], dict(combination_type="ties", density=0.7)),
        ("ties_svd_total", different, [0.6, 0.9, 0.5],
         dict(combination_type="ties_svd", density=0.5, majority_sign_method="total", svd_rank=5)),
        ("ties_svd_frequency", different, [0.6, 0.9, 0.5],
         dict(combination_type="ties_svd", density=0.5, majority_sign_method="frequency", svd_rank=5)),
        ("ties_svd_negative", different, [0.6, -0.9, 0.5], dict(combination_type="ties_svd", density=0.4, svd_rank=5)),
        ("magnitude_prune", same, [0.6, 0.9], dict(combination_type="magnitude_prune", density=0.4)),
        ("magnitude_prune_svd", different, [0.6, -0.9, 0.5],
         dict(combination_type="magnitude_prune_svd", density=0.4, svd_rank=5)),
        ("dare_linear", same, [0.6, 0.9], dict(combination_type="dare_linear", density=0.6)),
        ("dare_ties", same, [0.6, 0.9], dict(combination_type="dare_ties", density=0.6)),
        ("dare_linear_svd", different, [0.6, -0.9, 0.5],
         dict(combination_type="dare_linear_svd", density=0.6, svd_rank=5)),
        ("dare_ties_svd", different, [0.6, -0.9, 0.5],
         dict(combination_type="dare_ties_svd", density=0.6, svd_rank=5)),
    ]
    for number, (name, adapters, weights, options) in enumerate(cases):
        combine(model, folder, name, adapters, weights, modules, 7001 + number, **options)


def rslora():
    both = ["fc1", "fc2"]
    model, folder, modules = base_with(
        "rslora", Pair, 7100,
        a=dict(r=4, lora_alpha=3, use_rslora=True, target_modules=both),
        b=dict(r=4, lora_alpha=5, use_rslora=True, target_modules=both),
        c=dict(r=2, lora_alpha=3, target_modules=both))
    for number, (name, adapters, weights, options) in enumerate([
        ("cat", ["a", "b"], [0.7, -0.4], dict(combination_type="cat")),
        ("svd", ["a", "b"], [0.7, -0.4], dict(combination_type="svd")),
        ("linear_single", ["a"], [1.0], dict(combination_type="linear")),
        ("cat_mixed", ["a", "c"], [0.7, 0.9], dict(combination_type="cat")),
        ("cat_mixed_plain_first", ["c", "a"], [0.9, 0.7], dict(combination_type="cat")),
    ]):
        combine(model, folder, name, adapters, weights, modules, 7101 + number, **options)


def other_modules():
    for name, build, targets in (("conv", SmallCnn, ["conv1", "fc"]), ("embedding", TokenNet, ["embed", "fc"])):
        model, folder, modules = base_with(
            name, build, 7200, a=dict(r=2, lora_alpha=3, target_modules=targets),
            b=dict(r=3, lora_alpha=5, target_modules=targets))
        for number, options in enumerate([dict(combination_type="cat"), dict(combination_type="svd", svd_rank=3)]):
            combine(model, folder, options["combination_type"], ["a", "b"], [0.8, -0.5], modules, 7201 + number, **options)


if __name__ == "__main__":
    linear()
    rslora()
    other_modules()
