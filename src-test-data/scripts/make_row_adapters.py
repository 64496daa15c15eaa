#!/usr/bin/env python
"""Goldens of batches whose rows have adapters of their own, by PEFT's adapter_names, on the tiny llama3 and its saved
adapters lora and rslora.

    python make_row_adapters.py [--out DIR]      (default: the golden folder of this module)

llama3/rows.safetensors: input_ids and attention_mask (5, 8), padding on the left, and logits (5, 8, V) of the rows with
ADAPTERS. What PEFT computes where the mask is 0 means nothing.
"""
import argparse, os

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "src", "main", "resources", "golden")
ADAPTERS = ["rslora", "lora", "__base__", "rslora", "lora"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=GOLDEN)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    source = os.path.join(GOLDEN, "llama3")
    base = AutoModelForCausalLM.from_pretrained(os.path.join(source, "model"), dtype=torch.float32,
                                                attn_implementation="eager")
    model = PeftModel.from_pretrained(base, os.path.join(source, "lora"), adapter_name="lora")
    model.load_adapter(os.path.join(source, "rslora"), adapter_name="rslora")
    model.eval()
    ids = torch.randint(0, base.config.vocab_size, (5, 8), generator=torch.Generator().manual_seed(5))
    mask = torch.ones_like(ids)
    mask[1, :3] = 0
    mask[3, :1] = 0
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask, adapter_names=ADAPTERS).logits
    save_file({"input_ids": ids, "attention_mask": mask, "logits": logits.contiguous()},
              os.path.join(out, "llama3", "rows.safetensors"))


if __name__ == "__main__":
    main()
