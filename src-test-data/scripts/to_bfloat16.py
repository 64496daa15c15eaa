#!/usr/bin/env python
"""Rounds a model's weights to bfloat16, as the embedded model is kept.

    python to_bfloat16.py TRAINED MODEL_DIR

Reads TRAINED/model.safetensors, writes MODEL_DIR/model.safetensors and sets torch_dtype in MODEL_DIR/config.json.
"""
import json, os, sys

import torch
from safetensors.torch import load_file, save_file

trained, model = sys.argv[1:3]
weights = load_file(os.path.join(trained, "model.safetensors"))
rounded = {name: weight.to(torch.bfloat16).contiguous() for name, weight in weights.items()}
save_file(rounded, os.path.join(model, "model.safetensors"), metadata={"format": "pt"})
path = os.path.join(model, "config.json")
config = json.load(open(path))
config["torch_dtype"] = "bfloat16"
with open(path, "w") as out:
    json.dump(config, out, indent=2)
    out.write("\n")
print(sum(weight.numel() for weight in rounded.values()), "parameters")
