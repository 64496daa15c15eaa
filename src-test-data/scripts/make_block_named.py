#!/usr/bin/env python
"""Goldens of two named adapters on one base, each alone and both active, under real PEFT.

    python make_block_named.py

Writes ../src/main/resources/golden/blocks/named_<case>/{first,second}/ (the adapters) and golden.safetensors:

    base.<torch name>                  every parameter of the base
    x, disabled, upstream              the input, the base's output, the gradient with respect to each output
    y.first, y.second, y.both          outputs with one or both active
    grad.<which>.x                     gradients of sum(y.<which> * upstream): of x where it is float,
    grad.<which>.<name>.<disk key>     and of the tensors of adapter <name>; <which> is first, second or both
    merged.<which>.<torch name>        merged parameters
    peft_y.both, peft_merged.both.*    what PEFT computes with both active, and merges, only where it is not y.both

first and second are PEFT's. both is a sum of what each adapter adds to the base: W + (W_first - W) + (W_second - W), with
gradients by autograd through that sum (norms of DoRA are constants). PEFT computes the same where both are LoRA; a DoRA
adapter that it applies later scales the earlier ones too: W_2 = m_2 / |W + D_2| * (W_1 + D_2), which depends on the order.
"""
import copy, os

from block_golden import directory, disk_parameters, distance, named, output, perturb, save_adapter, save_golden
from make_block_goldens import Mlp, SmallCnn, TokenNet, floats, ids

import torch
from peft import LoraConfig, get_peft_model
from torch.func import functional_call


def adapted_weight(weight, scale, parameters, is_embedding):
    """One adapter's weight from its tensors, in any kind of module: a matrix of (out, everything else)."""
    a, b = (next(p for k, p in parameters.items() if part in k) for part in ("_A", "_B"))
    matrix = weight.t() if is_embedding else weight.flatten(1)
    result = matrix + scale * b.flatten(1) @ a.flatten(1)
    for key, magnitude in parameters.items():
        if "magnitude" in key:
            result = (magnitude.flatten() / result.detach().norm(dim=1)).unsqueeze(1) * result
    return result.t() if is_embedding else result.view(weight.shape)


def summed_weights(model, weights, trained, active):
    """Each base parameter plus what each active adapter adds to it."""
    sums = dict(weights)
    for adapter in active:
        for module in {k.rsplit(".lora_", 1)[0] for k in trained[adapter]}:
            layer = model.get_submodule(module)
            key = module.removeprefix("base_model.model.") + ".weight"
            own = {k.removeprefix(module): p for k, p in trained[adapter].items() if k.startswith(module + ".")}
            embedding = isinstance(layer.get_base_layer(), torch.nn.Embedding)
            sums[key] = sums[key] + adapted_weight(weights[key], layer.scaling[adapter], own, embedding) - weights[key]
    return sums


def case(name, build, x, seed, first, second):
    torch.manual_seed(seed)
    base = build().eval()
    plain = copy.deepcopy(base)
    x = x()
    gold = named("base.", base)
    gold["x"], gold["disabled"] = x, output(base, x).detach()
    weights = {k: v.clone() for k, v in base.state_dict().items()}
    path = directory(name)
    model = get_peft_model(base, LoraConfig(**first), adapter_name="first").eval()
    model.add_adapter("second", LoraConfig(**second))
    trained = {}
    for adapter in ("first", "second"):
        model.set_adapter(adapter)
        trained[adapter] = disk_parameters(model, adapter)
        perturb(trained[adapter].values())
        save_adapter(model, os.path.join(path, adapter), adapter)
    gold["upstream"] = torch.randn(gold["disabled"].shape)
    report = []
    for which, active in (("first", ["first"]), ("second", ["second"]), ("both", ["first", "second"])):
        model.base_model.set_adapter(active)

        def gradients(forward):
            inner = x.clone().requires_grad_(x.is_floating_point())
            model.zero_grad()
            y = forward(inner)
            (y * gold["upstream"]).sum().backward()
            found = {f"grad.{which}.{a}.{k}": p.grad.clone() for a in active for k, p in trained[a].items()}
            if inner.grad is not None:
                found[f"grad.{which}.x"] = inner.grad
            return y.detach(), found

        sums = summed_weights(model, weights, trained, active)
        y, peft_gradients = gradients(lambda inner: output(model, inner))
        summed, sum_gradients = gradients(lambda inner: functional_call(plain, sums, (inner,)))
        merged = copy.deepcopy(model).merge_and_unload(safe_merge=True)
        off = max(distance(peft_gradients[k], g) for k, g in sum_gradients.items())
        report.append(f"{which}: PEFT merged - unmerged {distance(output(merged, x), y):.1e}, "
                      f"sum - PEFT {distance(summed, y):.1e}, gradients {off:.1e}")
        alone = which != "both"
        gold["y." + which] = y if alone else summed
        gold.update(peft_gradients if alone else sum_gradients)
        gold.update({f"merged.{which}.{k}": w for k, w in (merged.state_dict() if alone else sums).items()})
        if distance(summed, y) > 1e-5:
            assert not alone, name
            gold["peft_y.both"] = y
            gold.update({f"peft_merged.both.{k}": w for k, w in merged.state_dict().items()})
    save_golden(gold, path, " ".join(build.__doc__.split()))
    print(f"{name}: {'; '.join(report)}")


LORA, DORA = dict(r=2, lora_alpha=4), dict(r=3, lora_alpha=6, use_dora=True)
if __name__ == "__main__":
    case("named_lora_dora", Mlp, floats(3, 5), 6000,
         dict(LORA, target_modules=["fc1", "fc3"]), dict(DORA, target_modules=["fc1", "fc2"]))
    case("named_lora_lora", Mlp, floats(3, 5), 6001,
         dict(LORA, target_modules=["fc1", "fc3"]),
         dict(r=4, lora_alpha=3, use_rslora=True, target_modules=["fc1", "fc2"]))
    case("named_dora_dora", Mlp, floats(3, 5), 6002,
         dict(LORA, use_dora=True, target_modules=["fc1", "fc3"]), dict(DORA, target_modules=["fc1", "fc2", "fc3"]))
    case("named_embedding_lora_dora", TokenNet, ids(11, 2, 5), 6003,
         dict(LORA, target_modules=["embed", "fc"]), dict(DORA, target_modules=["embed", "fc"]))
    case("named_embedding_dora_dora", TokenNet, ids(11, 2, 5), 6004,
         dict(LORA, use_dora=True, target_modules=["embed", "fc"]), dict(DORA, target_modules=["embed"]))
    case("named_conv_lora_dora", SmallCnn, floats(2, 2, 6, 6), 6005,
         dict(LORA, target_modules=["conv1", "fc"]), dict(DORA, target_modules=["conv1", "fc"]))
    case("named_conv_dora_dora", SmallCnn, floats(2, 2, 6, 6), 6006,
         dict(LORA, use_dora=True, target_modules=["conv1", "fc"]), dict(DORA, target_modules=["conv1", "fc"]))
