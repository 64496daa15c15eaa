#!/usr/bin/env python
"""Goldens of adapters on a tiny Llama whose embedding and head are one tensor, under real PEFT.

    python make_block_ties.py

Writes ../src/main/resources/golden/blocks/tied_model (config.json and model.safetensors) and
../src/main/resources/golden/blocks/tied_<case>/; block_golden.py says what the files hold. x is input_ids (2, 5), y the
logits (2, 5, 24).
"""
import os

from block_golden import directory, record

import torch
from peft import LoraConfig
from transformers import LlamaConfig, LlamaForCausalLM

CONFIG = LlamaConfig(
    vocab_size=24, hidden_size=16, intermediate_size=20, num_hidden_layers=1, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=32, tie_word_embeddings=True, attn_implementation="eager",
    bos_token_id=1, eos_token_id=2,
)
DESCRIPTION = ("../tied_model as transformers' LlamaForCausalLM: lm_head.weight is model.embed_tokens.weight; "
               "x = input_ids int64 (2, 5), y = logits (2, 5, 24)")
torch.manual_seed(4000)
MODEL = LlamaForCausalLM(CONFIG)
for p in MODEL.parameters():
    p.data = p.data + 0.2 * torch.randn(p.shape)
MODEL.save_pretrained(directory("tied_model"))
generation = os.path.join(directory("tied_model", fresh=False), "generation_config.json")
if os.path.exists(generation):
    os.remove(generation)


def build():
    model = LlamaForCausalLM(CONFIG)
    model.load_state_dict(MODEL.state_dict())
    model.tie_weights()
    return model


def ids():
    return torch.tensor([[1, 5, 9, 20, 9], [1, 3, 5, 12, 23]])


CASES = [
    ("tokens", dict(target_modules=["q_proj"], trainable_token_indices=[5, 9, 2])),
    ("tokens_ensured", dict(target_modules=["q_proj"], trainable_token_indices=[5, 9, 2], ensure_weight_tying=True)),
    ("embed_lora", dict(target_modules=["q_proj", "embed_tokens"])),
    ("embed_lora_ensured", dict(target_modules=["q_proj", "embed_tokens"], ensure_weight_tying=True)),
    ("head_lora", dict(target_modules=["q_proj", "lm_head"])),
    ("head_lora_ensured", dict(target_modules=["q_proj", "lm_head"], ensure_weight_tying=True)),
    ("save_embed", dict(target_modules=["q_proj"], modules_to_save=["embed_tokens"])),
    ("save_embed_ensured", dict(target_modules=["q_proj"], modules_to_save=["embed_tokens"], ensure_weight_tying=True)),
    ("save_head", dict(target_modules=["q_proj"], modules_to_save=["lm_head"])),
    ("save_head_ensured", dict(target_modules=["q_proj"], modules_to_save=["lm_head"], ensure_weight_tying=True)),
]

if __name__ == "__main__":
    for number, (case, settings) in enumerate(CASES):
        record("tied_" + case, build, LoraConfig(r=2, lora_alpha=4, task_type="CAUSAL_LM", **settings), ids,
               4001 + number, DESCRIPTION)
