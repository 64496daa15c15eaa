#!/usr/bin/env python
"""Goldens of LoRA's initialisations that change or start from the base weight, under real PEFT.

    python make_block_inits.py

Writes ../src/main/resources/golden/blocks/init_<case>/; block_golden.py says what the files hold. Besides:

    init.<disk key>          the adapter's tensors right after get_peft_model
    residual.<torch name>    the base parameters right after get_peft_model
    init_y                   the output then: that of the base
    init_delta.<module>      scale * B A at init, free of the signs that SVD and QR may choose

`adapter/` still names the initialisation in its config, so its base is the residual; `converted/` is what PEFT makes of
it by path_initial_model_for_weight_conversion: a plain LoRA of twice the rank for the unchanged base.
"""
import copy, os, tempfile

from block_golden import disk_parameters, distance, output, record, save_adapter

import torch
from peft import LoraConfig, PeftModel
from torch import nn


class Pair(nn.Module):
    """fc1 = Linear(6, 8); fc2 = Linear(8, 5), both with bias; y = fc2(tanh(fc1(x))), x (3, 6)"""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(6, 8), nn.Linear(8, 5)

    def forward(self, x):
        return self.fc2(torch.tanh(self.fc1(x)))


def base_parameters(model):
    return {n.replace("base_layer.", ""): p.detach().clone()
            for n, p in model.base_model.model.named_parameters() if "lora_" not in n}


def case(name, seed, convertible=True, **settings):
    config = LoraConfig(target_modules=["fc1", "fc2"], **settings)
    temporary = tempfile.TemporaryDirectory()
    initial = os.path.join(temporary.name, "initial")

    def attached(model, trained, gold, path):
        gold.update({"init." + k: p.detach().clone() for k, p in trained.items()})
        gold.update({"residual." + n: p for n, p in base_parameters(model).items()})
        for module in ("fc1", "fc2"):
            layer = getattr(model.base_model.model, module)
            gold["init_delta." + module] = layer.get_delta_weight("default").detach()
        plain = model.peft_config["default"].init_lora_weights
        model.peft_config["default"].init_lora_weights = True
        model.save_pretrained(initial)
        model.peft_config["default"].init_lora_weights = plain

    def saved(model, trained, gold, path):
        clone = copy.deepcopy(model)
        for key, p in disk_parameters(clone).items():
            p.data = gold["init." + key].clone()
        gold["init_y"] = output(clone, gold["x"]).detach()
        print(f"  {name}: output at init - base {distance(gold['init_y'], gold['disabled']):.1e}")
        if not convertible:
            return
        save_adapter(copy.deepcopy(model), os.path.join(path, "converted"),
                     path_initial_model_for_weight_conversion=initial)
        pristine = Pair()
        pristine.load_state_dict({n.removeprefix("base."): p for n, p in gold.items() if n.startswith("base.")})
        converted = PeftModel.from_pretrained(pristine, os.path.join(path, "converted")).eval()
        print(f"  {name}: converted on the unchanged base - y {distance(output(converted, gold['x']), gold['y']):.1e}")

    record("init_" + name, Pair, config, lambda: torch.randn(3, 6), seed, attached=attached, saved=saved)
    temporary.cleanup()


if __name__ == "__main__":
    case("pissa", 5000, r=2, lora_alpha=3, init_lora_weights="pissa")
    case("pissa_rslora", 5001, r=4, lora_alpha=3, init_lora_weights="pissa", use_rslora=True)
    case("pissa_niter_4", 5002, r=2, lora_alpha=3, init_lora_weights="pissa_niter_4")
    case("pissa_rank_pattern", 5003, r=2, lora_alpha=3, init_lora_weights="pissa", rank_pattern={"fc2": 3},
         alpha_pattern={"fc1": 5})
    case("olora", 5004, r=3, lora_alpha=4, init_lora_weights="olora")
    case("olora_rslora", 5005, r=4, lora_alpha=3, init_lora_weights="olora", use_rslora=True)
    case("orthogonal", 5006, convertible=False, r=4, lora_alpha=3, init_lora_weights="orthogonal")
