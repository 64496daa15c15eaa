"""Writes a random OpenELM of a config's shape: where pretraining of the embedded model starts.

Usage: init_openelm.py MODEL_DIR OUT_DIR [--seed N]
Copies every other file of MODEL_DIR (config, tokenizer) beside the new float32 model.safetensors.
"""
import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from openelm_ref import OpenELMForCausalLM


def random_weights(cfg, seed):
    """Normal weights and norms of one; what adds to the residual stream starts smaller, as in GPT-2."""
    rng = np.random.default_rng(seed)
    std = cfg.get("initializer_range", 0.02)
    residual = std / np.sqrt(2 * cfg["num_transformer_layers"])
    weights = {}
    for name, parameter in OpenELMForCausalLM(cfg).named_parameters():
        if parameter.ndim == 1:
            weights[name] = np.ones(parameter.shape, np.float32)
        else:
            scale = residual if name.endswith(("out_proj.weight", "proj_2.weight")) else std
            weights[name] = (scale * rng.standard_normal(tuple(parameter.shape))).astype(np.float32)
    return weights


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("model", type=Path)
    args.add_argument("out", type=Path)
    args.add_argument("--seed", type=int, default=42)
    args = args.parse_args()
    cfg = json.loads((args.model / "config.json").read_text(encoding="utf-8"))
    weights = random_weights(cfg, args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    for file in args.model.iterdir():
        if file.suffix == ".json":
            shutil.copyfile(file, args.out / file.name)
    save_file(weights, args.out / "model.safetensors", metadata={"format": "pt"})
    print(f"{sum(w.size for w in weights.values())} parameters in {len(weights)} tensors")


if __name__ == "__main__":
    main()
