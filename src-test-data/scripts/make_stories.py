#!/usr/bin/env python
"""What transformers and PEFT make of a real pretrained model, stories260K, with a few speeches of Shakespeare.

    python make_stories.py --text tinyshakespeare.txt [--out DIR]      (default: golden/stories260K)

Writes train.jsonl and valid.jsonl ({"text": ...}), lora and dora (the adapters before training, as PEFT saves them) and
curves.json: the untrained model's loss on valid.jsonl and its greedy continuations, and for each adapter the loss of
each step, the loss on valid.jsonl after the last and what it makes of a prompt then. Rows are taken in file order, end
with EOS and are cut to max_length tokens; a loss is the mean over all next tokens.
"""
import argparse, json, os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch, transformers
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, get_linear_schedule_with_warmup

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "src", "main", "resources", "golden", "stories260K")
RECIPE = {"batch": 4, "steps": 20, "learning_rate": 1e-2, "warmup": 4, "max_grad_norm": 1.0, "max_length": 96}
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PROMPTS = ["Once upon a time", "The little dog", "One day, Lily went to"]
TRAINED_PROMPT = "ROMEO:\n"


def rows(path):
    speeches = [s.strip() for s in open(path, encoding="utf-8").read().split("\n\n")]
    speeches = [s for s in speeches if 60 <= len(s) <= 260]
    return speeches[:RECIPE["steps"] * RECIPE["batch"]], speeches[-12:]


def batch(tok, texts):
    ids = [tok(t + tok.eos_token).input_ids[:RECIPE["max_length"]] for t in texts]
    n = max(map(len, ids))
    pad = lambda x, v: x + [v] * (n - len(x))
    return (torch.tensor([pad(x, 0) for x in ids]), torch.tensor([pad([1] * len(x), 0) for x in ids]),
            torch.tensor([pad(x, -100) for x in ids]))


def loss_of(model, tensors, reduction="mean"):
    ids, mask, labels = tensors
    logits = model(input_ids=ids, attention_mask=mask).logits
    return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), reduction=reduction)


def validation(model, tok, texts):
    model.eval()
    with torch.no_grad():
        return loss_of(model, batch(tok, texts)).item()


def text(model, tok, prompt):
    ids = tok(prompt, return_tensors="pt").input_ids
    with torch.no_grad():
        out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=60, pad_token_id=0)
    return {"prompt": prompt, "ids": out[0][ids.shape[1]:].tolist(), "text": tok.decode(out[0][ids.shape[1]:], skip_special_tokens=True)}


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--text", required=True)
    args.add_argument("--out", default=OUT)
    a = args.parse_args()
    source = os.path.join(OUT, "model")
    tok = PreTrainedTokenizerFast.from_pretrained(source)
    load = lambda: AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager")
    train, valid = rows(a.text)
    for name, texts in (("train", train), ("valid", valid)):
        with open(os.path.join(a.out, name + ".jsonl"), "w", encoding="utf-8") as f:
            f.writelines(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts)
    base = load()
    out = {"recipe": RECIPE, "valid_loss": validation(base, tok, valid), "texts": [text(base, tok, p) for p in PROMPTS]}
    for kind in ("lora", "dora"):
        torch.manual_seed(3)
        model = get_peft_model(load(), LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS, use_dora=kind == "dora", task_type="CAUSAL_LM"))
        model.peft_config["default"].base_model_name_or_path = "stories260K"
        model.save_pretrained(os.path.join(a.out, kind))
        os.remove(os.path.join(a.out, kind, "README.md"))
        ps = [p for p in model.parameters() if p.requires_grad]
        opt = torch.optim.AdamW(ps, lr=RECIPE["learning_rate"], weight_decay=0.0)
        schedule = get_linear_schedule_with_warmup(opt, RECIPE["warmup"], RECIPE["steps"])
        model.train()
        losses = []
        for s in range(RECIPE["steps"]):
            loss = loss_of(model, batch(tok, train[s * RECIPE["batch"]:(s + 1) * RECIPE["batch"]]))
            opt.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(ps, RECIPE["max_grad_norm"])
            opt.step()
            schedule.step()
            losses.append(loss.item())
        out[kind] = {"losses": losses, "valid_loss": validation(model, tok, valid), "text": text(model, tok, TRAINED_PROMPT)}
        print(kind, losses[0], losses[-1], out["valid_loss"], "->", out[kind]["valid_loss"], out[kind]["text"]["text"])
    with open(os.path.join(a.out, "curves.json"), "w", encoding="utf-8") as f:
        json.dump(out, f, ensure_ascii=False, indent=1)
        f.write("\n")


main()
