#!/usr/bin/env python
"""What PEFT's create_loraplus_optimizer makes of tiny models: its groups, and the parameters after some steps.

    python make_loraplus_cases.py [--out DIR]

Writes loraplus.json. Per case: the adapter's parameters under PEFT's keys with their group, shape and start; the
gradients of each step, from real backward passes (null where autograd made none); the schedule's factors; the
parameters at the end. float32 numbers are written as the doubles they are, so nothing is lost.
"""
import argparse, json, os

import peft, torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from peft.optimizers import create_loraplus_optimizer

torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = 8
GROUPS = ("groupA", "embedding", "groupB", "groupB_no_decay")


class Tiny(torch.nn.Module):
    """Ids (batch, 5) to three numbers; what the text goes through has a matrix, an embedding and a convolution."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(7, 4)
        self.up = torch.nn.Linear(4, 6)
        self.conv = torch.nn.Conv2d(1, 3, 3)
        self.unused = torch.nn.Linear(2, 2)
        self.head = torch.nn.Linear(3, 3)

    def forward(self, ids):
        x = torch.tanh(self.up(self.embed(ids)))
        return self.head(self.conv(x.unsqueeze(1)).mean((2, 3)))


def flat(t):
    return t.detach().reshape(-1).double().tolist()


def case(name, seed, lr, ratio, decay, lora, **kw):
    torch.manual_seed(seed)
    model = get_peft_model(Tiny(), LoraConfig(r=2, lora_alpha=4, **lora)).train()
    keys = {v.data_ptr(): k for k, v in get_peft_model_state_dict(model).items()}
    ps = {keys[p.data_ptr()]: p for p in model.parameters() if p.requires_grad}
    opt = create_loraplus_optimizer(model, torch.optim.AdamW, lr=lr, loraplus_lr_ratio=ratio, loraplus_weight_decay=decay, **kw)
    assert len(opt.param_groups) == len(GROUPS)
    group = {id(p): n for n, g in zip(GROUPS, opt.param_groups) for p in g["params"]}
    schedule = torch.optim.lr_scheduler.LambdaLR(opt, lambda step: 1 - step / STEPS)
    out = {"name": name, "learning_rate": lr, "ratio": ratio, "weight_decay": decay,
           "embedding_learning_rate": kw.get("loraplus_lr_embedding"),
           "groups": {k: group[id(p)] for k, p in ps.items()}, "shapes": {k: list(p.shape) for k, p in ps.items()},
           "start": {k: flat(p) for k, p in ps.items()}, "factors": [], "gradients": []}
    for step in range(STEPS):
        opt.zero_grad(set_to_none=True)
        ids = torch.randint(0, 7, (3, 5))
        torch.nn.functional.mse_loss(model(ids), torch.randn(3, 3)).backward()
        out["factors"].append(1 - step / STEPS)
        out["gradients"].append({k: None if p.grad is None else flat(p.grad) for k, p in ps.items()})
        opt.step()
        schedule.step()
    out["end"] = {k: flat(p) for k, p in ps.items()}
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(HERE, "..", "src", "main", "resources", "optimizer"))
    a = ap.parse_args()
    targets = ["embed", "up", "conv", "unused"]
    cases = [
        case("lora", 1, 1e-2, 16.0, 0.05, {"target_modules": targets, "modules_to_save": ["head"], "bias": "lora_only"}),
        case("dora", 2, 5e-3, 4.0, 0.1, {"target_modules": targets, "use_dora": True}, loraplus_lr_embedding=2e-3),
        case("lora_bias", 3, 2e-3, 2.5, 0.3, {"target_modules": ["up", "conv"], "lora_bias": True}),
    ]
    with open(os.path.join(a.out, "loraplus.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    for c in cases:
        print(c["name"], c["groups"])
    print(torch.__version__, peft.__version__)


if __name__ == "__main__":
    main()
