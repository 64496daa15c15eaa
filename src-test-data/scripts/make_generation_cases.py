#!/usr/bin/env python
"""What transformers' logits processors make of logits: probabilities for many settings, in its own order.

    python make_generation_cases.py [--out FILE]      (default: golden/generation.json)

Each case: settings, logits, the ids before them, and the probabilities that generate() would draw from.
"""
import argparse, json, os, warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
SETTINGS = [
    {}, {"temperature": 0.5}, {"temperature": 3.0}, {"top_k": 5}, {"top_k": 1}, {"top_k": 1000}, {"top_p": 0.9}, {"top_p": 0.3}, {"top_p": 0.01},
    {"min_p": 0.1}, {"min_p": 0.9}, {"repetition_penalty": 1.3}, {"repetition_penalty": 0.7}, {"temperature": 0.7, "top_k": 20, "top_p": 0.8},
    {"temperature": 1.4, "top_k": 10, "top_p": 0.95, "min_p": 0.05, "repetition_penalty": 1.2}, {"top_p": 0.5, "min_p": 0.4, "temperature": 2.0},
]


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--out", default=os.path.join(HERE, "..", "src", "main", "resources", "golden", "generation.json"))
    torch.manual_seed(11)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=40, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1))
    cases = []
    for settings in SETTINGS:
        for kind in ("normal", "ties", "flat"):
            logits = torch.randn(1, 40) * {"normal": 4, "ties": 2, "flat": 0.1}[kind]
            if kind == "ties":
                logits = logits.round()
            ids = torch.tensor([[3, 7, 7, 1, 39]])
            config = GenerationConfig(do_sample=True, **({"top_k": 0} | settings))
            processors = model._get_logits_processor(generation_config=config, input_ids_seq_length=5, prefix_allowed_tokens_fn=None, logits_processor=[], device="cpu")
            probabilities = torch.softmax(processors(ids, logits.clone()), -1)
            ties_at_edge = kind == "ties" and "top_p" in settings  # torch's sort leaves the order of equals open
            if not ties_at_edge:
                cases.append({"settings": settings, "logits": logits[0].tolist(), "ids": ids[0].tolist(), "probabilities": probabilities[0].tolist()})
    with open(args.parse_args().out, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(len(cases))


main()
