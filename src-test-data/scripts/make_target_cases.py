"""Records which modules PEFT adapts, with which rank and alpha, for many configurations.

Usage: python make_target_cases.py OUT.json
Needs torch, transformers and peft; the output holds their versions.
"""
import json
import re
import sys
import warnings

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

torch.set_num_threads(1)
warnings.simplefilter("ignore")

R, ALPHA = 8, 16


class SkeletonConfig(PretrainedConfig):
    model_type = "peft4j-skeleton"


class Skeleton(PreTrainedModel):
    """A tree of modules with the given names; it computes nothing."""

    config_class = SkeletonConfig

    def __init__(self, leaves, head):
        super().__init__(SkeletonConfig())
        self.head_path = head
        for path, kind in leaves:
            parent = self
            *parts, last = path.split(".")
            for part in parts:
                if not hasattr(parent, part):
                    parent.add_module(part, nn.Module())
                parent = getattr(parent, part)
            make = {
                "linear": lambda: nn.Linear(4, 4),
                "conv1d": lambda: Conv1D(4, 4),
                "embedding": lambda: nn.Embedding(6, 4),
                "norm": lambda: nn.LayerNorm(4),
            }[kind]
            parent.add_module(last, make())

    def get_output_embeddings(self):
        return self.get_submodule(self.head_path) if self.head_path else None

    def get_input_embeddings(self):
        return None


def openelm():
    out = [("transformer.token_embeddings", "embedding")]
    for i in range(3):
        p = f"transformer.layers.{i}"
        out += [(f"{p}.attn.qkv_proj", "linear"), (f"{p}.attn.q_norm", "norm"), (f"{p}.attn.out_proj", "linear"),
                (f"{p}.ffn.proj_1", "linear"), (f"{p}.ffn.proj_2", "linear"), (f"{p}.ffn_norm", "norm")]
    return out + [("transformer.norm", "norm"), ("lm_head", "linear")]


def llama():
    out = [("model.embed_tokens", "embedding")]
    for i in range(12):
        p = f"model.layers.{i}"
        out += [(f"{p}.self_attn.{n}_proj", "linear") for n in "qkvo"]
        out += [(f"{p}.mlp.{n}_proj", "linear") for n in ("gate", "up", "down")]
        out += [(f"{p}.input_layernorm", "norm")]
    return out + [("model.norm", "norm"), ("lm_head", "linear")]


def gpt2():
    out = [("transformer.wte", "embedding"), ("transformer.wpe", "embedding")]
    for i in range(4):
        p = f"transformer.h.{i}"
        out += [(f"{p}.attn.c_attn", "conv1d"), (f"{p}.attn.c_proj", "conv1d"), (f"{p}.mlp.c_fc", "conv1d"),
                (f"{p}.mlp.c_proj", "conv1d"), (f"{p}.ln_1", "norm")]
    return out + [("lm_head", "linear")]


def bert():
    out = [("bert.embeddings.word_embeddings", "embedding")]
    for i in range(2):
        p = f"bert.encoder.layer.{i}"
        out += [(f"{p}.attention.self.{n}", "linear") for n in ("query", "key", "value")]
        out += [(f"{p}.attention.output.dense", "linear"), (f"{p}.intermediate.dense", "linear"), (f"{p}.output.dense", "linear")]
    return out + [("bert.pooler.dense", "linear"), ("classifier", "linear")]


def moe():
    out = []
    for i in range(2):
        p = f"model.layers.{i}"
        out += [(f"{p}.self_attn.q_proj", "linear"), (f"{p}.block_sparse_moe.gate", "linear")]
        for e in range(3):
            out += [(f"{p}.block_sparse_moe.experts.{e}.w{n}", "linear") for n in (1, 2, 3)]
    # names that suffix rules trip over, and a layer list at the root
    out += [("layers.0.w1", "linear"), ("layers.1.w1", "linear"), ("w1", "linear"), ("overw1", "linear"),
            ("blocks.1.layers.0.w1", "linear"), ("head.overhead", "linear"), ("head.inner", "linear"), ("lm_head", "linear")]
    return out


SKELETONS = {"openelm": (openelm(), "lm_head"), "llama": (llama(), "lm_head"), "gpt2": (gpt2(), "lm_head"),
             "bert": (bert(), None), "moe": (moe(), "lm_head")}

L12 = [f"model.layers.{i}.self_attn.{n}_proj" for i in range(12) for n in "qv"]

CASES = [
    # lists: exact or dotted suffix
    ("openelm", dict(target_modules=["qkv_proj", "out_proj", "proj_1", "proj_2"])),
    ("openelm", dict(target_modules=["attn.qkv_proj"])),
    ("openelm", dict(target_modules=["kv_proj"])),
    ("openelm", dict(target_modules=["proj"])),
    ("openelm", dict(target_modules=["transformer.layers.1.ffn.proj_1"])),
    ("openelm", dict(target_modules=["qkv_proj", "no_such_proj"])),
    ("openelm", dict(target_modules=["token_embeddings", "qkv_proj"])),
    ("openelm", dict(target_modules=["lm_head"])),
    ("openelm", dict(target_modules=["attn"])),
    ("openelm", dict(target_modules=["ffn_norm"])),
    ("openelm", dict(target_modules=["1.attn.qkv_proj"])),
    ("openelm", dict(target_modules=["QKV_PROJ"])),
    ("openelm", dict(target_modules=[".qkv_proj"])),
    ("openelm", dict(target_modules=["qkv.proj"])),
    ("openelm", dict(target_modules=["qkv_.*"])),
    ("moe", dict(target_modules=["w1"])),
    ("moe", dict(target_modules=["experts.1.w1", "layers.0.w1"])),
    # strings: full match
    ("openelm", dict(target_modules=r".*\.(qkv_proj|out_proj)")),
    ("openelm", dict(target_modules=r"qkv_proj")),
    ("openelm", dict(target_modules=r".*proj_[12]")),
    ("openelm", dict(target_modules=r"transformer\.layers\.[02]\..*_proj")),
    ("openelm", dict(target_modules=r".*\.attn.*")),
    ("openelm", dict(target_modules=r".*attn\.(?!q_norm).*")),
    ("openelm", dict(target_modules=r"(?i).*QKV_PROJ")),
    ("openelm", dict(target_modules=r".*(?<=attn\.)(?P<which>qkv|out)_proj")),
    ("openelm", dict(target_modules=r".*\.(qkv_proj")),
    ("openelm", dict(target_modules=r".*nothing")),
    ("llama", dict(target_modules=r".*layers\.(\d|1[01])\.self_attn\.[qv]_proj")),
    ("llama", dict(target_modules=r".*\.\d{2}\.mlp\.(?:up|down)_proj")),
    ("gpt2", dict(target_modules=r"transformer\.h\.\d+\.(attn|mlp)\.c_proj\Z")),
    ("moe", dict(target_modules=r".*experts\.(\d)\.w\1")),
    # all-linear
    ("openelm", dict(target_modules="all-linear")),
    ("openelm", dict(target_modules="All-Linear")),
    ("llama", dict(target_modules="ALL-LINEAR", exclude_modules=["down_proj"])),
    ("gpt2", dict(target_modules="all-linear")),
    ("bert", dict(target_modules="all-linear")),
    ("bert", dict(target_modules="all-linear", task_type="SEQ_CLS")),
    ("bert", dict(target_modules="all-linear", modules_to_save=["classifier"])),
    ("moe", dict(target_modules="all-linear", exclude_modules=r".*gate")),
    ("openelm", dict(target_modules=["all-linear"])),
    ("openelm", dict(target_modules="all-linear", layers_to_transform=[0])),
    # exclude
    ("openelm", dict(target_modules=["qkv_proj", "out_proj"], exclude_modules=["out_proj"])),
    ("openelm", dict(target_modules=["qkv_proj"], exclude_modules=["layers.1.attn.qkv_proj"])),
    ("openelm", dict(target_modules=["qkv_proj"], exclude_modules=r".*\.[01]\..*")),
    ("openelm", dict(target_modules=["qkv_proj"], exclude_modules=["kv_proj"])),
    ("openelm", dict(target_modules=["qkv_proj"], exclude_modules=["qkv_proj"])),
    ("openelm", dict(target_modules=["qkv_proj"], exclude_modules=r".*")),
    ("openelm", dict(target_modules=["qkv_proj"], exclude_modules=[])),
    ("openelm", dict(target_modules=["qkv_proj"], exclude_modules="")),
    # modules_to_save are not targets
    ("openelm", dict(target_modules=["qkv_proj", "lm_head"], modules_to_save=["lm_head"])),
    ("openelm", dict(target_modules=["qkv_proj", "proj_1"], modules_to_save=["ffn"])),
    ("moe", dict(target_modules=["inner", "overhead", "w1"], modules_to_save=["head"])),
    # layers
    ("openelm", dict(target_modules=["qkv_proj"], layers_to_transform=1)),
    ("openelm", dict(target_modules=["qkv_proj"], layers_to_transform=[0, 2])),
    ("openelm", dict(target_modules=["qkv_proj"], layers_to_transform=[0, 7])),
    ("openelm", dict(target_modules=["qkv_proj"], layers_to_transform=[7])),
    ("openelm", dict(target_modules=["qkv_proj"], layers_to_transform=[])),
    ("openelm", dict(target_modules=["qkv_proj", "lm_head"], layers_to_transform=[0])),
    ("openelm", dict(target_modules=["qkv_proj", "transformer.layers.2.ffn.proj_2"], layers_to_transform=[0])),
    ("openelm", dict(target_modules=["qkv_proj"], layers_to_transform=[1], layers_pattern="layers")),
    ("openelm", dict(target_modules=["qkv_proj"], layers_to_transform=[1], layers_pattern=["h", "layers"])),
    ("openelm", dict(target_modules=["qkv_proj"], layers_to_transform=[1], layers_pattern="h")),
    ("openelm", dict(target_modules=["qkv_proj"], layers_to_transform=[1], layers_pattern=[])),
    ("openelm", dict(target_modules=["qkv_proj"], layers_to_transform=[1], layers_pattern="")),
    ("openelm", dict(target_modules=["qkv_proj"], layers_pattern="layers")),
    ("openelm", dict(target_modules=".*qkv_proj", layers_to_transform=[1])),
    ("openelm", dict(target_modules=".*qkv_proj", layers_pattern="layers")),
    ("gpt2", dict(target_modules=["c_attn", "c_fc"], layers_to_transform=[1, 3], layers_pattern="h")),
    ("gpt2", dict(target_modules=["c_attn"], layers_to_transform=[1, 3], layers_pattern="layers|h")),
    ("bert", dict(target_modules=["query", "dense"], layers_to_transform=1)),
    ("moe", dict(target_modules=["w1"], layers_to_transform=[1])),
    ("moe", dict(target_modules=["w1"], layers_to_transform=[1], layers_pattern="experts")),
    ("moe", dict(target_modules=["w1"], layers_to_transform=[1], layers_pattern=["layers"])),
    ("moe", dict(target_modules=["w1"], layers_to_transform=[1], layers_pattern=["blocks", "layers"])),
    ("llama", dict(target_modules=["q_proj"], layers_to_transform=[1, 11])),
    # twenty full names or more are condensed before the layers are looked at
    ("llama", dict(target_modules=L12)),
    ("llama", dict(target_modules=L12, layers_to_transform=[3, 4])),
    ("llama", dict(target_modules=L12[:19], layers_to_transform=[3, 4])),
    ("llama", dict(target_modules=L12[:20], layers_to_transform=[3, 4])),
    ("llama", dict(target_modules=L12 + ["lm_head"], layers_to_transform=[3])),
    ("llama", dict(target_modules=[n for n in L12 if "layers.1." not in n], layers_to_transform=[3, 10])),
    # patterns
    ("openelm", dict(target_modules=["qkv_proj", "out_proj"], rank_pattern={"out_proj": 4}, alpha_pattern={"qkv_proj": 32})),
    ("openelm", dict(target_modules=["qkv_proj", "out_proj"], rank_pattern={"attn.out_proj": 4, "out_proj": 2})),
    ("openelm", dict(target_modules=["qkv_proj", "out_proj"], rank_pattern={"out_proj": 2, "attn.out_proj": 4})),
    ("openelm", dict(target_modules=["qkv_proj"], rank_pattern={r"transformer\.layers\.[01]\.attn\.qkv_proj": 4})),
    ("openelm", dict(target_modules=["qkv_proj"], rank_pattern={r"layers\.(0|2)\..*": 4}, alpha_pattern={r".*\.1\..*": 5})),
    ("openelm", dict(target_modules=["qkv_proj"], rank_pattern={"kv_proj": 4})),
    ("openelm", dict(target_modules=["qkv_proj"], rank_pattern={"^transformer.layers.2.attn.qkv_proj": 4})),
    ("openelm", dict(target_modules=["qkv_proj", "proj_1"], rank_pattern={"qkv_proj|proj_1": 4})),
    ("openelm", dict(target_modules=["qkv_proj"], alpha_pattern={"qkv": 3, ".*proj": 2.5})),
    ("openelm", dict(target_modules=["qkv_proj"], rank_pattern={"nothing": 4})),
    ("openelm", dict(target_modules=["qkv_proj"], rank_pattern={"(?i)QKV_proj": 4})),
    ("openelm", dict(target_modules=["qkv_proj"], rank_pattern={"qkv_proj": 0})),
    ("llama", dict(target_modules="all-linear", rank_pattern={"mlp.*": 4, r"layers\.1": 2}, alpha_pattern={r"self_attn\.[qk]_proj": 64})),
]

REGEX = [
    (p, t)
    for p, texts in [
        (r"a.c", ["abc", "a\nc", "a\rc", "a\u2028c", "a🙂c"]),
        (r"(?s)a.c", ["a\nc"]),
        (r"abc$", ["abc", "abc\n"]),
        (r"abc\Z", ["abc", "abc\n"]),
        (r"[[]x]", ["[x]", "x]"]),
        (r"[]a]+", ["]a", "b"]),
        (r"[^]a]", ["b", "]"]),
        (r"[a&&b]", ["a", "&", "b", "c"]),
        (r"[a[b]", ["a", "[", "b"]),
        (r"[\w.]+", ["model.layers_0", "é.ü", "a-b"]),
        (r"[#\ ]", ["#", " ", "x"]),
        (r"\d+", ["12", "٣", "x"]),
        (r"\w", ["é", "_", "-", "東"]),
        (r"\s", [" ", "\u00a0", "x"]),
        (r"(?a:\d)", ["1", "٣"]),
        (r"(?i)straße", ["STRAßE"]),
        (r"(?i)É", ["é"]),
        (r"a{2}", ["aa", "aaa"]),
        (r"a{,2}", ["", "aa", "aaa"]),
        (r"a{2,}", ["aa", "a"]),
        (r"a{,}", ["", "aaaa"]),
        (r"a{x}", ["a{x}", "ax"]),
        (r"a{}", ["a{}"]),
        (r"{a}", ["{a}"]),
        (r"a}", ["a}"]),
        (r"a]", ["a]"]),
        (r"(?P<n>a)(?P=n)", ["aa", "ab"]),
        (r"(?P<my_name>a)(?P=my_name)", ["aa"]),
        (r"(?<n>a)", ["a"]),
        (r"(a)\1", ["aa", "ab"]),
        (r"(?#note)a", ["a"]),
        (r"(?:a|b)+?", ["abab"]),
        (r"a(?i)b", ["ab"]),
        (r"(?i:A)b", ["ab", "aB"]),
        (r"(?-i:a)", ["a"]),
        (r"(?x) a b", ["ab"]),
        (r"(a)?(?(1)b|c)", ["ab", "c"]),
        (r"(?>a+)b", ["aab"]),
        (r"a++b", ["aab"]),
        (r"\Aab\b", ["ab"]),
        (r"\x41\u00e9\t", ["Aé\t"]),
        (r"\0\x0b", ["\0\v"]),
        (r"\v\a\f", ["\v\a\f"]),
        (r"\101", ["A"]),
        (r"[\b]", ["\b", "b"]),
        (r"\h", ["h", " "]),
        (r"\Qa\E", ["a", "QaE"]),
        (r"\p{L}", ["a", "p{L}"]),
        (r"\R", ["\n"]),
        (r"\z", ["", "z"]),
        (r"\e", ["e"]),
        (r"\-\.\_", ["-._"]),
        (r"\é", ["é"]),
        (r"(", ["("]),
        (r")", [")"]),
        (r"[a", ["a"]),
        (r"*a", ["a"]),
        (r"a**", ["a"]),
        (r"a\\"[:-1], ["a"]),
        (r"(?P<1a>x)", ["x"]),
        (r"(?z)a", ["a"]),
        (r"(?P<n>a)(?P<n>b)", ["ab"]),
        (r"(?P=n)", ["a"]),
        (r"[z-a]", ["b"]),
        (r"(?<=a)b|(?<!a)c", ["c", "b"]),
        (r"", ["", "a"]),
        (r"a|", ["", "a"]),
        (r"x*", ["", "xx"]),
        (r"~`@%&=;:'\"<>,/!", ["~`@%&=;:'\"<>,/!"]),
        (r"a-b#c d", ["a-b#c d"]),
    ]
    for t in texts
]


def run(skeleton, config):
    leaves, head = SKELETONS[skeleton]
    model = Skeleton(leaves, head)
    try:
        adapted = get_peft_model(model, LoraConfig(r=R, lora_alpha=ALPHA, **config))
    except (ValueError, re.error) as e:
        kind = "regex" if isinstance(e, re.error) else type(e).__name__
        return {"error": kind, "message": str(e).split("\n")[0][:200]}
    found = {}
    for name, module in adapted.named_modules():
        if isinstance(module, LoraLayer) and "default" in module.r:
            found[name.removeprefix("base_model.model.")] = [module.r["default"], module.lora_alpha["default"]]
    return {"adapted": found}


def match(pattern, text):
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:
        return "error"


def main(path):
    cases = []
    for skeleton, config in CASES:
        config.setdefault("task_type", "CAUSAL_LM" if SKELETONS[skeleton][1] else None)
        result = run(skeleton, {k: v for k, v in config.items() if k != "task_type"} if config["task_type"] != "SEQ_CLS" else config)
        cases.append({"skeleton": skeleton, "config": config, "result": result})
    skeletons = {}
    for name, (leaves, head) in SKELETONS.items():
        kinds = dict(leaves)
        model = Skeleton(leaves, head)
        skeletons[name] = {"modules": [[n, kinds.get(n, "container")] for n, _ in model.named_modules() if n], "head": head}
    out = {"versions": {"peft": peft.__version__, "transformers": transformers.__version__, "python": sys.version.split()[0]},
           "r": R, "lora_alpha": ALPHA, "skeletons": skeletons, "cases": cases,
           "regex": [[p, t, match(p, t)] for p, t in REGEX]}
    text = json.dumps(out, indent=None, separators=(",", ":"))
    # one case a line, so that a change can be read
    text = re.sub(r'(?<=[}\]]),(?=\{"skeleton":|\["(?:[^"\\]|\\.)*","(?:[^"\\]|\\.)*",(?:true|false|"error")\])', ",\n", text)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
