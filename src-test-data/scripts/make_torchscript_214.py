#!/usr/bin/env python
"""The archives of make_torchscript.py, as torch 2.14 writes them.

    python make_torchscript_214.py      # with torch 2.14 and transformers 5.18

Writes ../src/main/resources/golden/torchscript/torch214/. The models have the same weights, so what
PEFT on torch 2.13 computed for make_torchscript.py holds for these archives too; that the weights
are the same is checked here.
"""
import torch

import make_torchscript as made

assert torch.__version__.startswith("2.14."), torch.__version__
BEFORE = made.OUT
made.OUT = BEFORE / "torch214"
made.OUT.mkdir(exist_ok=True)
with torch.no_grad():
    for name in ("bert", "bert_bfloat16", "forms"):
        made.traced(name)
    torch.jit.script(made.make("net")[0]).save(made.OUT / "net.pt")
    torch.manual_seed(3)
    tied = made.ties()
    torch.jit.trace(tied, torch.randint(0, 9, (2, 3))).save(made.OUT / "tied_traced.pt")
    torch.jit.script(tied).save(made.OUT / "tied_scripted.pt")
for file in sorted(made.OUT.glob("*.pt")):
    one, other = (torch.jit.load(path).state_dict() for path in (file, BEFORE / file.name))
    assert one.keys() == other.keys(), file
    for key, value in one.items():
        assert value.dtype == other[key].dtype and torch.equal(value, other[key]), (file, key)
    print(f"{file.name:20} {file.stat().st_size:7} bytes")
