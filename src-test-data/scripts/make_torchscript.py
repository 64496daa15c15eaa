#!/usr/bin/env python
"""TorchScript archives of small models, and what real PEFT computes on the same models.

    python make_torchscript.py [CASE ...]

With names of cases only these are made, and the archive of each; without, all.
Writes ../src/main/resources/golden/torchscript/: MODEL.pt per model, and per case a directory in
PEFT's format (the adapter before training) with golden.safetensors, which holds
    in.N            the inputs                    base        the output without the adapter
    out             the output with it            grad.KEY    gradients of the first step
    step5.KEY       the adapter after five steps of AdamW (lr 1e-2, weight decay 0.01)
    trained         the output with the trained adapter
    merged          the output after merging it
    out32, grad32   for a float16 or bfloat16 model: the same of its weights and adapter in float32
Keys are PEFT's. The loss is the cross-entropy of `labels`, or of a mean over positions.
Adapters have random A and B, so that nothing is zero that could hide an error.

encoder/ is what a hosted text encoder consists of: a traced BertModel with random weights in a wrapper
(`bert`), its tokenizer.json, and train.tsv and test.tsv with a label and a text per line.
"""
import copy
import itertools
import json
import pathlib
import random
import shutil
import sys
import warnings

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, BertModel
from transformers.pytorch_utils import Conv1D

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
OUT = pathlib.Path(__file__).resolve().parent.parent / "src/main/resources/golden/torchscript"


class BertWrapper(nn.Module):
    """What people write to trace a model of transformers: it returns a plain tensor."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask):
        return self.model(input_ids=ids, attention_mask=mask, return_dict=False)[0]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(8, 12), nn.Linear(12, 8, bias=False)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(x)))


class Net(nn.Module):
    """Scripted: embedding, two blocks of one class, dropout, convolution, head."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.drop = nn.Dropout(0.0)
        self.conv = nn.Conv1d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, ids):
        h = self.embed(ids)
        for block in self.blocks:
            h = self.drop(block(h))
        h = self.conv(h.transpose(1, 2)).transpose(1, 2)
        return self.head(h.mean(1))


class AddmmLinear(nn.Linear):
    def forward(self, x):
        return torch.addmm(self.bias, x, self.weight.t())


class MatmulLinear(nn.Linear):
    def forward(self, x):
        return torch.matmul(x, self.weight.t()) + self.bias


AddmmLinear.__name__ = AddmmLinear.__qualname__ = "Linear"
MatmulLinear.__name__ = MatmulLinear.__qualname__ = "Linear"


class Forms(nn.Module):
    """A linear layer in each of the forms that it has in archives."""

    def __init__(self):
        super().__init__()
        self.added, self.multiplied = AddmmLinear(6, 8), MatmulLinear(8, 8)
        self.functional, self.turned, self.last = nn.Linear(8, 8), Conv1D(5, 8), nn.Linear(5, 3)

    def forward(self, x):
        h = torch.tanh(self.multiplied(torch.tanh(self.added(x))))
        h = nn.functional.linear(h, self.functional.weight, self.functional.bias)
        return self.last(torch.tanh(self.turned(torch.tanh(h))))


class Reused(nn.Module):
    """A layer whose weight another module multiplies with as well."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x))) + torch.matmul(x, self.first.weight.t())


def bert():
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=12, num_labels=3, attn_implementation="eager")
    return BertForSequenceClassification(config).eval()


def make(name):
    torch.manual_seed(7)
    if name in ("bert", "bert_half", "bert_bfloat16"):
        model = bert()
        ids = torch.randint(0, 40, (4, 9))
        mask = torch.ones(4, 9, dtype=torch.long)
        mask[1, 6:], mask[3, 4:] = 0, 0
        if name in NARROW:
            model = model.to(NARROW[name])
        return model, (ids, mask), lambda m: BertWrapper(m)
    if name == "net":
        return Net().eval(), (torch.randint(0, 11, (4, 5)),), lambda m: m
    if name in ("forms", "forms_bfloat16"):
        forms, x = Forms().eval(), torch.randn(4, 6)
        if name in NARROW:
            forms, x = forms.to(NARROW[name]), x.to(NARROW[name])
        return forms, (x,), lambda m: m
    raise KeyError(name)


def config(dora, targets, **more):
    return LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, init_lora_weights=False, use_dora=dora,
                      target_modules=targets, **more)


NARROW = {
    "bert_half": torch.float16, "bert_bfloat16": torch.bfloat16, "forms_bfloat16": torch.bfloat16}
BERT = ["query", "value", "dense"]
CASES = {
    "bert_lora": ("bert", False, BERT, {}),
    "bert_dora": ("bert", True, BERT, {}),
    "bert_half_lora": ("bert_half", False, BERT, {}),
    "bert_half_dora": ("bert_half", True, BERT, {}),
    "bert_bfloat16_lora": ("bert_bfloat16", False, BERT, {}),
    "bert_bfloat16_dora": ("bert_bfloat16", True, BERT, {}),
    "bert_head": ("bert", False, ["query", "word_embeddings"], {"modules_to_save": ["classifier"]}),
    "net_lora": ("net", False, ["embed", "up", "down", "conv"], {}),
    "net_dora": ("net", True, ["embed", "up", "down", "conv"], {}),
    "forms_lora": ("forms", False, ["added", "multiplied", "turned"], {}),
    "forms_dora": ("forms", True, ["added", "multiplied", "turned"], {}),
}


def ties():
    tied = nn.Sequential()
    tied.embed, tied.head = nn.Embedding(9, 4), nn.Linear(4, 9, bias=False)
    tied.head.weight = tied.embed.weight
    return tied


def traced(name):
    model, inputs, wrap = make(name)
    torch.jit.trace(wrap(model), inputs, check_trace=False).save(OUT / f"{name}.pt")


def archives():
    with torch.no_grad():
        for name in ("bert", "bert_half", "bert_bfloat16", "forms", "forms_bfloat16"):
            traced(name)
        model, inputs, _ = make("net")
        torch.jit.script(model).save(OUT / "net.pt")
        torch.jit.freeze(torch.jit.script(model)).save(OUT / "net_frozen.pt")
        torch.manual_seed(5)
        torch.jit.script(Reused()).save(OUT / "reused.pt")
        small = nn.Sequential(nn.Linear(4, 4)).eval()
        quantised = torch.ao.quantization.quantize_dynamic(small, {nn.Linear})
        torch.jit.script(quantised).save(OUT / "quantised.pt")
        torch.manual_seed(3)
        tied = ties()
        torch.jit.trace(tied, torch.randint(0, 9, (2, 3))).save(OUT / "tied_traced.pt")
        torch.jit.script(tied).save(OUT / "tied_scripted.pt")


def logits(model, inputs):
    out = model(*inputs) if len(inputs) == 1 else model(input_ids=inputs[0], attention_mask=inputs[1])
    return (out.logits if hasattr(out, "logits") else out).float()


def case(name, model_name, dora, targets, more):
    model, inputs, _ = make(model_name)
    with torch.no_grad():
        tensors = {"base": logits(model, inputs)}
    torch.manual_seed(1)
    peft = get_peft_model(model, config(dora, targets, **more)).eval()
    folder = OUT / name
    peft.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    settings = json.loads((folder / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = None
    settings["target_modules"] = sorted(settings["target_modules"])  # a set, in any order
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n")
    labels = torch.tensor([0, 2, 1, 1])
    start = {k: v.clone() for k, v in peft.state_dict().items()}
    trained = [p for p in peft.parameters() if p.requires_grad]
    names = {id(p): n.replace(".default", "").replace(".modules_to_save", "")
             for n, p in peft.named_parameters() if p.requires_grad}
    names = {i: n[:-len(".weight")] if "magnitude_vector" in n and n.endswith(".weight") else n
             for i, n in names.items()}
    optimizer = torch.optim.AdamW(trained, lr=1e-2, weight_decay=0.01)
    for step in range(5):
        optimizer.zero_grad()
        out = logits(peft, inputs)
        nn.functional.cross_entropy(out, labels).backward()
        if step == 0:
            tensors["out"] = out.detach()
            tensors.update({"grad." + names[id(p)]: p.grad.clone() for p in trained})
        optimizer.step()
    tensors.update({"step5." + names[id(p)]: p.detach().clone() for p in trained})
    if model_name in NARROW:
        wide = get_peft_model(make(model_name)[0].float(), config(dora, targets, **more)).eval()
        wide.load_state_dict({k: v.float() for k, v in start.items()})
        out = logits(wide, inputs)
        nn.functional.cross_entropy(out, labels).backward()
        tensors["out32"] = out.detach()
        tensors.update({"grad32." + n: p.grad for (_, p), n in zip(
            ((n, p) for n, p in wide.named_parameters() if p.requires_grad), names.values())})
    with torch.no_grad():
        tensors["trained"] = logits(peft, inputs)
        tensors["merged"] = logits(peft.merge_and_unload(), inputs)
    tensors["labels"] = labels
    tensors.update({f"in.{i}": x for i, x in enumerate(inputs)})
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "golden.safetensors")


class Encoder(nn.Module):
    """Returns the hidden states (batch, tokens, hidden) and the pooled first one (batch, hidden)."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, ids, mask):
        return self.bert(input_ids=ids, attention_mask=mask, return_dict=False)


GOOD = "wonderful lovely great superb funny clever warm".split()
BAD = "dreadful boring awful poor dull silly cold".split()
THINGS = "film story cast music ending book".split()
FORMS = ["the {thing} was {word}", "a {word} {thing}", "i found the {thing} rather {word}",
         "what a {word} {thing} it was"]


def encoder():
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = OUT / "encoder"
    folder.mkdir()
    words = sorted({w for form in FORMS for w in form.split() if "{" not in w} | set(GOOD + BAD + THINGS))
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    rows = [f"{label}\t" + form.format(thing=thing, word=word)
            for label, some in ((1, GOOD), (0, BAD))
            for form, thing, word in itertools.product(FORMS, THINGS, some)]
    random.Random(0).shuffle(rows)
    (folder / "train.tsv").write_text("\n".join(rows[:96]) + "\n")
    (folder / "test.tsv").write_text("\n".join(rows[96:160]) + "\n")
    torch.manual_seed(11)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=24, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=24, attn_implementation="eager",
        initializer_range=0.15)
    ids, mask = torch.randint(4, 20, (3, 7)), torch.ones(3, 7, dtype=torch.long)
    mask[1, 4:] = 0
    with torch.no_grad():
        traced = torch.jit.trace(Encoder(BertModel(config)).eval(), (ids, mask), check_trace=False)
    traced.save(folder / "encoder.pt")


if __name__ == "__main__":
    chosen = sys.argv[1:]
    if not chosen:
        for old in OUT.iterdir() if OUT.exists() else ():
            if old.is_file():
                old.unlink()
            elif old.name != "torch214":  # by make_torchscript_214.py
                shutil.rmtree(old)
        OUT.mkdir(parents=True, exist_ok=True)
        archives()
        encoder()
    for name in chosen or CASES:
        if chosen and CASES[name][0] != "net":
            with torch.no_grad():
                traced(CASES[name][0])
        case(name, *CASES[name])
