#!/usr/bin/env python
"""What torch makes of the golden OpenELM's adapters in a training with accumulation, clipping and schedules.

    python make_training_cases.py [--out DIR]

Writes rows.jsonl, cases.json, and per case and adapter CASE-ADAPTER.safetensors: the adapter after the last step,
"losses" (a number per step, before it) and "norms" (the global gradient norm before clipping). A step takes the next
batch times accumulation rows in file order and starts again at the end; its loss is the mean over the labelled next
tokens of all its rows.
"""
import argparse, json, os

import make_golden  # also fixes the threads and the hash seed
import openelm_ref
import torch
from peft import PeftModel, get_peft_model_state_dict
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import load_file, save_file
from transformers import get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

HERE = os.path.dirname(os.path.abspath(__file__))
RESOURCES = os.path.join(HERE, "..", "src", "main", "resources")
OPENELM = os.path.join(RESOURCES, "golden", "openelm")
SCHEDULES = {"constant": lambda o, w, n: get_constant_schedule_with_warmup(o, w), "linear": get_linear_schedule_with_warmup,
             "cosine": get_cosine_schedule_with_warmup}
PLAIN = {"batch": 2, "accumulation": 1, "steps": 6, "learning_rate": 5e-3, "schedule": "constant", "warmup": 0, "weight_decay": 0.0,
         "max_grad_norm": 0.0}
CASES = {
    "accumulation": {**PLAIN, "accumulation": 2},
    "clipping": {**PLAIN, "batch": 3, "max_grad_norm": 0.5, "weight_decay": 0.05},
    "linear": {**PLAIN, "schedule": "linear", "accumulation": 2, "max_grad_norm": 1.0},
    "cosine": {**PLAIN, "schedule": "cosine", "warmup": 2, "steps": 8},
    # rows in threes: of two, one element has a first gradient about as small as eps, so that rounding decides its step
    "loraplus": {**PLAIN, "batch": 3, "schedule": "linear", "learning_rate": 1e-3, "weight_decay": 0.05, "max_grad_norm": 1.0, "loraplus_ratio": 8.0},
    # the OpenELM paper's, short: rates between bounds by torch's own schedules, and AdamW's second moment decays faster
    "recipe": {**PLAIN, "accumulation": 2, "steps": 9, "schedule": "cosine", "warmup": 3, "warmup_start": 1e-4, "min_learning_rate": 5e-4,
               "betas": [0.9, 0.95], "eps": 1e-7, "max_grad_norm": 1.0},
}


def rows():
    g = torch.Generator().manual_seed(77)
    out = []
    for i in range(7):
        n = int(torch.randint(4, 13, (1,), generator=g))
        ids = [1] + torch.randint(4, 264, (n - 1,), generator=g).tolist()
        labels = [-100 if j < i % 4 else t for j, t in enumerate(ids)]
        out.append({"input_ids": ids, "labels": labels} if i % 2 == 0 else {"input_ids": ids})
    return out


def tensors(batch):
    n = max(len(r["input_ids"]) for r in batch)
    pad = lambda x, v: x + [v] * (n - len(x))
    ids = torch.tensor([pad(r["input_ids"], 3) for r in batch])
    mask = torch.tensor([pad([1] * len(r["input_ids"]), 0) for r in batch])
    labels = torch.tensor([pad(r.get("labels", r["input_ids"]), -100) for r in batch])
    return ids, mask, labels


def bounded(opt, c):
    L = torch.optim.lr_scheduler
    up = L.LinearLR(opt, c["warmup_start"] / c["learning_rate"], 1.0, c["warmup"])
    down = L.CosineAnnealingLR(opt, c["steps"] - c["warmup"], eta_min=c["min_learning_rate"])
    return L.SequentialLR(opt, [up, down], [c["warmup"]])


def train(data, kind, c):
    config = json.load(open(os.path.join(OPENELM, "model", "config.json")))
    base = make_golden.build("openelm", config, load_file(os.path.join(OPENELM, "model", "model.safetensors")))
    model = PeftModel.from_pretrained(base, os.path.join(OPENELM, kind), is_trainable=True).train()
    ps = [p for p in model.parameters() if p.requires_grad]
    if "loraplus_ratio" in c:
        opt = create_loraplus_optimizer(
            model, torch.optim.AdamW, lr=c["learning_rate"], loraplus_lr_ratio=c["loraplus_ratio"], loraplus_weight_decay=c["weight_decay"])
    else:
        opt = torch.optim.AdamW(ps, lr=c["learning_rate"], weight_decay=c["weight_decay"], betas=c.get("betas", (0.9, 0.999)), eps=c.get("eps", 1e-8))
    schedule = bounded(opt, c) if "min_learning_rate" in c else SCHEDULES[c["schedule"]](opt, c["warmup"], c["steps"])
    losses, norms, at = [], [], 0
    for _ in range(c["steps"]):
        batches = []
        for _ in range(c["accumulation"]):
            batches.append(tensors([data[(at + i) % len(data)] for i in range(c["batch"])]))
            at += c["batch"]
        count = sum(int((labels[:, 1:] != -100).sum()) for _, _, labels in batches)
        opt.zero_grad(set_to_none=True)
        loss = 0.0
        for ids, mask, labels in batches:
            logits = make_golden.forward(model, ids, mask).logits
            part = torch.nn.functional.cross_entropy(
                logits[:, :-1].reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), ignore_index=-100, reduction="sum") / count
            part.backward()
            loss += float(part.detach())
        norms.append(float(torch.nn.utils.clip_grad_norm_(ps, c["max_grad_norm"] or 1e9)))
        opt.step()
        schedule.step()
        losses.append(loss)
    out = {k: v.clone() for k, v in get_peft_model_state_dict(model).items()}
    out["losses"], out["norms"] = torch.tensor(losses), torch.tensor(norms)
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(RESOURCES, "training"))
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    data = rows()
    with open(os.path.join(a.out, "rows.jsonl"), "w") as f:
        f.writelines(json.dumps(r) + "\n" for r in data)
    json.dump([{"name": k, **v} for k, v in CASES.items()], open(os.path.join(a.out, "cases.json"), "w"), indent=1)
    for name, case in CASES.items():
        for kind in ("lora", "dora"):
            got = train(data, kind, case)
            save_file(got, os.path.join(a.out, f"{name}-{kind}.safetensors"))
            print(name, kind, [round(x, 4) for x in got["losses"].tolist()], [round(x, 3) for x in got["norms"].tolist()])


if __name__ == "__main__":
    main()
