#!/usr/bin/env python
"""Goldens of single linear layers under real PEFT: LoRA, rsLoRA and DoRA, with and without a bias.

    python make_linear_goldens.py

Writes ../src/main/resources/golden/linear/<case>/: the adapter as PEFT saves it, and golden.safetensors with
weight, bias, x (2,3,in), y (eval), upstream, the gradients grad.<key> of sum(y * upstream) and grad.x, and the
merged weight. Everything is float32 with one thread.
"""
import os, shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

torch.set_num_threads(1)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../src/main/resources/golden/linear")
CASES = {
    "lora": dict(r=3, lora_alpha=5),
    "lora_bias": dict(r=1, lora_alpha=4, bias=True),
    "rslora": dict(r=4, lora_alpha=6, use_rslora=True),
    "dora": dict(r=3, lora_alpha=5, use_dora=True),
    "dora_bias": dict(r=2, lora_alpha=7, use_dora=True, bias=True),
    "dora_rslora": dict(r=4, lora_alpha=6, use_dora=True, use_rslora=True),
}


class Body(torch.nn.Module):
    def __init__(self, bias):
        super().__init__()
        self.up = torch.nn.Linear(6, 5, bias=bias)


class Model(torch.nn.Module):
    def __init__(self, bias):
        super().__init__()
        self.body = Body(bias)

    def forward(self, x):
        return self.body.up(x)


for number, (name, settings) in enumerate(CASES.items()):
    settings = dict(settings)
    bias = settings.pop("bias", False)
    torch.manual_seed(100 + number)
    base = Model(bias)
    weight = base.body.up.weight.detach().clone()
    gold = {"weight": weight}
    if bias:
        gold["bias"] = base.body.up.bias.detach().clone()
    model = get_peft_model(base, LoraConfig(target_modules=["up"], **settings))
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    for p in trained.values():
        p.data = p.data + 0.3 * torch.randn(p.shape)
    model.eval()
    directory = os.path.join(OUT, name)
    shutil.rmtree(directory, ignore_errors=True)
    model.peft_config["default"].base_model_name_or_path = "golden/linear"
    model.save_pretrained(directory)
    os.remove(os.path.join(directory, "README.md"))
    x = torch.randn(2, 3, 6, requires_grad=True)
    upstream = torch.randn(2, 3, 5)
    y = model(x)
    (y * upstream).sum().backward()
    gold.update(x=x.detach(), y=y.detach(), upstream=upstream)
    gold["grad.x"] = x.grad
    for n, p in trained.items():
        key = n.replace("lora_magnitude_vector.default.weight", "lora_magnitude_vector").replace(".default", "")
        gold["grad." + key] = p.grad
    gold["merged"] = model.merge_and_unload(safe_merge=True).body.up.weight.detach()
    save_file({k: v.contiguous().clone() for k, v in gold.items()}, os.path.join(directory, "golden.safetensors"))
    print(name, sorted(gold))
