#!/usr/bin/env python
"""Goldens of exports for servers: adapters of all settings by PEFT, and what llama.cpp's own converter makes of each.

    python make_serving.py --llama.cpp DIR [--out DIR]      (default: the golden folder of this module)

DIR is a checkout of llama.cpp with convert_lora_to_gguf.py; its gguf-py is used, and mistral_common, which it imports
for other models, is replaced by nothing.

serving/<case>: adapters with random values by PEFT on golden/llama3/model, with golden.safetensors (logits for the
input_ids of golden/llama3/golden.safetensors). serving/<case>.gguf: the converter's file for such an adapter, or for one
of another family's folder, in portable form: each module's scaling in B, ranks filled up with zeros, lora_alpha = r.
Without --llama.cpp the GGUF files stay as they are.
"""
import argparse, json, os, subprocess, sys, tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils.other import get_pattern_key
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "src", "main", "resources", "golden")
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PATTERNS = dict(rank_pattern={"q_proj": 3, r"layers\.1\.mlp\.up_proj": 6},
                alpha_pattern={"k_proj": 2, r"layers\.0\.mlp\.down_proj": 16})
CASES = {
    "patterns": dict(r=4, lora_alpha=8, target_modules=LINEARS, **PATTERNS),
    "rslora": dict(r=4, lora_alpha=8, target_modules=LINEARS, use_rslora=True, **PATTERNS),
    "heads": dict(r=4, lora_alpha=6, target_modules=LINEARS + ["embed_tokens", "lm_head"], rank_pattern={"lm_head": 5}),
    "layer": dict(r=9, lora_alpha=9, target_modules=["q_proj", "v_proj"], layers_to_transform=[1]),
    "gaussian": dict(r=4, lora_alpha=4, target_modules=LINEARS, init_lora_weights="gaussian"),
    "orthogonal": dict(r=4, lora_alpha=4, target_modules=LINEARS, init_lora_weights="orthogonal"),
    "pissa": dict(r=2, lora_alpha=3, target_modules=LINEARS, init_lora_weights="pissa"),
    "olora": dict(r=2, lora_alpha=3, target_modules=LINEARS, init_lora_weights="olora"),
    "dora": dict(r=2, lora_alpha=4, target_modules=LINEARS, use_dora=True),
}
# what the converter gets: a name, the adapter's folder, the base model's folder
CONVERTED = [("patterns", "serving/patterns", "llama3"), ("rslora", "serving/rslora", "llama3"),
             ("heads", "serving/heads", "llama3"), ("layer", "serving/layer", "llama3"),
             ("mixtral", "experts/single_patterns", "experts"), ("phi3", "phi3/lora", "phi3"),
             ("openelm", "openelm/lora", "openelm")]


def base(name):
    return AutoModelForCausalLM.from_pretrained(os.path.join(GOLDEN, name, "model"), dtype=torch.float32,
                                                attn_implementation="eager").eval()


def logits(model, ids):
    with torch.no_grad():
        return model(input_ids=ids, use_cache=False).logits.contiguous()


def make(out, ids, plain, seed, case, settings):
    model = get_peft_model(base("llama3"), LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        if p.requires_grad and "magnitude" not in name:
            p.data = p.data + torch.randn(p.shape, generator=g) * (0.25 if "lora_A" in name else 0.1)
        elif p.requires_grad:
            p.data = p.data * (1 + 0.2 * torch.randn(p.shape, generator=g))
    model.peft_config["default"].base_model_name_or_path = "golden/llama3"
    d = os.path.join(out, case)
    model.save_pretrained(d, save_embedding_layers=False)
    os.remove(os.path.join(d, "README.md"))
    found = logits(model, ids)
    again = logits(PeftModel.from_pretrained(base("llama3"), d).eval(), ids)
    assert (again - found).abs().max() < 2e-5, (case, (again - found).abs().max())
    assert (found - plain).abs().max() > 1e-2, case
    save_file({"logits": found}, os.path.join(d, "golden.safetensors"))


def portable(source, target):
    """The adapter with each module's scaling in B, one rank, and alpha = r."""
    with open(os.path.join(source, "adapter_config.json")) as f:
        config = json.load(f)
    tensors = load_file(os.path.join(source, "adapter_model.safetensors"))
    ends = [(".lora_A.weight", ".lora_B.weight"), (".lora_embedding_A", ".lora_embedding_B")]
    rank = max(t.shape[0] for n, t in tensors.items() if n.endswith(ends[0][0]) or n.endswith(ends[1][0]))
    made = {}
    for a_end, b_end in ends:
        for name in [n for n in tensors if n.endswith(a_end)]:
            module = name.removeprefix("base_model.model.").removesuffix(a_end)
            a, b = tensors[name], tensors[name.removesuffix(a_end) + b_end]
            key = get_pattern_key(config["alpha_pattern"].keys(), module)
            alpha = config["alpha_pattern"].get(key, config["lora_alpha"])
            r = a.shape[0]
            s = alpha / r ** 0.5 if config["use_rslora"] else alpha / r
            made[name] = torch.nn.functional.pad(a, (0, 0, 0, rank - r)).contiguous()
            made[name.removesuffix(a_end) + b_end] = torch.nn.functional.pad(b * s, (0, rank - r)).contiguous()
    config |= dict(r=rank, lora_alpha=rank, use_rslora=False, rank_pattern={}, alpha_pattern={})
    save_file(made, os.path.join(target, "adapter_model.safetensors"), {"format": "pt"})
    with open(os.path.join(target, "adapter_config.json"), "w") as f:
        json.dump(config, f)


def convert(llama_cpp, out, name, adapter, model):
    with tempfile.TemporaryDirectory() as d:
        nothing = os.path.join(d, "nothing", "mistral_common", "tokens", "tokenizers")
        os.makedirs(nothing)
        for module in ("base", "multimodal", "tekken", "sentencepiece"):
            with open(os.path.join(nothing, module + ".py"), "w") as f:
                f.write("def __getattr__(name):\n    return type(name, (), {})\n")
        form = os.path.join(d, "form")
        os.mkdir(form)
        portable(os.path.join(GOLDEN, adapter), form)
        env = os.environ | {"PYTHONPATH": os.pathsep.join([os.path.join(llama_cpp, "gguf-py"), os.path.join(d, "nothing")])}
        subprocess.run([sys.executable, os.path.join(llama_cpp, "convert_lora_to_gguf.py"), "--outtype", "f32", "--base",
                        os.path.join(GOLDEN, model, "model"), "--outfile", os.path.join(out, name + ".gguf"), form],
                       env=env, check=True, stderr=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=GOLDEN)
    parser.add_argument("--llama.cpp", dest="llama_cpp")
    args = parser.parse_args()
    out = os.path.join(args.out, "serving")
    os.makedirs(out, exist_ok=True)
    ids = load_file(os.path.join(GOLDEN, "llama3", "golden.safetensors"))["input_ids"]
    plain = logits(base("llama3"), ids)
    for i, (case, settings) in enumerate(CASES.items()):
        make(out, ids, plain, 91 + i, case, settings)
    for name, adapter, model in CONVERTED if args.llama_cpp else []:
        convert(args.llama_cpp, out, name, adapter, model)
    print(sorted(os.listdir(out)))


if __name__ == "__main__":
    main()
