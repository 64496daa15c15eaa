#!/usr/bin/env python
"""What torch's AdamW, torch's clipping by global norm and the schedules of transformers and torch make of given numbers.

    python make_optimizer_cases.py [--out DIR]

Writes adamw.json, clipping.json, schedules.json and bounded_schedules.json. float32 numbers are written as the doubles they are, so nothing
is lost. A gradient of null is one that autograd never made: torch leaves such a parameter alone, decay included.
"""
import argparse, json, math, os

import torch, transformers
from transformers import (get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup,
                          get_cosine_with_min_lr_schedule_with_warmup, get_linear_schedule_with_warmup)

torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))
SHAPES = {"a": (3, 4), "b": (5,), "c": (2, 2)}
STEPS = 40


def flat(t):
    return t.reshape(-1).double().tolist()


def adamw(name, seed, **kw):
    g = torch.Generator().manual_seed(seed)
    ps = {k: torch.nn.Parameter(torch.randn(s, generator=g)) for k, s in SHAPES.items()}
    start = {k: flat(p.detach()) for k, p in ps.items()}
    opt = torch.optim.AdamW(list(ps.values()), **kw)
    grads, rates = [], []
    for step in range(STEPS):
        rate = kw["lr"] * (STEPS - step) / STEPS
        for group in opt.param_groups:
            group["lr"] = rate
        row = {}
        for k, p in ps.items():
            if k == "c" and (step < 2 or step % 3 == 1):
                p.grad, row[k] = None, None
            else:  # every size from 1e-8 to 1e2, each element its own
                size = 10.0 ** (-8 + 10 * torch.rand(p.shape, generator=g))
                p.grad = torch.randn(p.shape, generator=g) * size
                row[k] = flat(p.grad)
        grads.append(row)
        rates.append(rate)
        opt.step()
        if step == STEPS // 2:
            half = {k: flat(p.detach()) for k, p in ps.items()}
    state = {k: {n: flat(v) if v.numel() > 1 else float(v) for n, v in opt.state[p].items()} for k, p in ps.items()}
    return {"name": name, "betas": kw.get("betas", (0.9, 0.999)), "eps": kw.get("eps", 1e-8), "weight_decay": kw["weight_decay"],
            "shapes": SHAPES, "start": start, "rates": rates, "gradients": grads, "half_way": half,
            "end": {k: flat(p.detach()) for k, p in ps.items()}, "state": state}


def clipping():
    cases = []
    for seed, (max_norm, size) in enumerate([(1.0, 10.0), (1.0, 1e-3), (0.5, 1.0), (1e-3, 1e4)]):
        g = torch.Generator().manual_seed(seed)
        ps = {k: torch.nn.Parameter(torch.zeros(s)) for k, s in SHAPES.items()}
        for p in ps.values():
            p.grad = torch.randn(p.shape, generator=g) * size
        before = {k: flat(p.grad) for k, p in ps.items()}
        norm = torch.nn.utils.clip_grad_norm_(list(ps.values()), max_norm)
        cases.append({"max_norm": max_norm, "shapes": SHAPES, "before": before, "norm": float(norm), "after": {k: flat(p.grad) for k, p in ps.items()}})
    return cases


def schedules():
    cases = []
    for name, make in [("constant", lambda o, w, n: get_constant_schedule_with_warmup(o, w)),
                       ("linear", get_linear_schedule_with_warmup), ("cosine", get_cosine_schedule_with_warmup)]:
        for warmup, total in [(0, 5), (0, 1), (3, 10), (10, 10), (1, 7)]:
            opt = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=2e-4)
            schedule = make(opt, warmup, total)
            rates = []
            for _ in range(total):
                rates.append(opt.param_groups[0]["lr"])
                opt.step()
                schedule.step()
            cases.append({"schedule": name, "learning_rate": 2e-4, "warmup": warmup, "total": total, "rates": rates})
    return cases


def bounded():
    """Schedules that begin and end at rates above 0: torch's own, and for the cosine transformers' too. CoreNet's cosine
    (corenet/optims/scheduler/cosine.py) has a period of one step more; its formula is here, to tell how far it is off."""
    rate, first, least, cases = 3e-4, 1e-6, 3e-5, []
    for name, warmup, total in [("cosine", 10, 44), ("linear", 10, 44), ("cosine", 0, 9), ("linear", 3, 8)]:
        opt = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=rate)
        L = torch.optim.lr_scheduler
        down = L.CosineAnnealingLR(opt, total - warmup, eta_min=least) if name == "cosine" else L.LinearLR(opt, 1.0, least / rate, total - warmup)
        schedule = down if warmup == 0 else L.SequentialLR(opt, [L.LinearLR(opt, first / rate, 1.0, warmup), down], [warmup])
        rates = []
        for _ in range(total):
            rates.append(opt.param_groups[0]["lr"])
            opt.step()
            schedule.step()
        case = {"schedule": name, "learning_rate": rate, "first": first, "least": least, "warmup": warmup, "rates": rates}
        if name == "cosine":
            other = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=rate)
            theirs = get_cosine_with_min_lr_schedule_with_warmup(other, warmup, total, min_lr=least)
            case["transformers"] = []
            for _ in range(total):
                case["transformers"].append(other.param_groups[0]["lr"])
                other.step()
                theirs.step()
            period = total - warmup + 1
            case["corenet"] = [first + k * (rate - first) / warmup if k < warmup else
                               least + 0.5 * (rate - least) * (1 + math.cos(math.pi * (k - warmup) / period)) for k in range(total)]
        cases.append(case)
    return cases


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(HERE, "..", "src", "main", "resources", "optimizer"))
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    files = {
        "adamw": [adamw("plain", 1, lr=1e-2, weight_decay=0.0), adamw("decay", 2, lr=1e-2, weight_decay=0.1),
                  adamw("other_betas", 3, lr=3e-3, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.01)],
        "clipping": clipping(), "schedules": schedules(), "bounded_schedules": bounded()}
    for name, cases in files.items():
        with open(os.path.join(a.out, name + ".json"), "w") as f:
            f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(torch.__version__, transformers.__version__)


if __name__ == "__main__":
    main()
