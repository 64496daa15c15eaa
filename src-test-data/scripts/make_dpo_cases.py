#!/usr/bin/env python
"""What real TRL makes of preferences: pairs as tokens, losses with their slopes, and short runs of DPOTrainer.

    python make_dpo_cases.py [--out DIR]

Writes cases.json (a list of {name, max_length, truncation_mode, rows, expected}, each row through DPOTrainer's own
preparation and collator), losses.json (log-probabilities of pairs, and for each loss its value and its derivative by
each sequence's log-probability, out of DPOTrainer._compute_loss), and runs.json with a NAME.safetensors per run: the
adapter after the last step. A run's "log" is what the trainer logged of each step and of an evaluation at the end.
"""
import argparse, contextlib, json, os, tempfile, types, warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
warnings.filterwarnings("ignore")
import make_golden  # also fixes the threads and the hash seed
import torch, transformers
from collections import defaultdict
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))
RESOURCES = os.path.join(HERE, "..", "src", "main", "resources")
LLAMA = os.path.join(RESOURCES, "golden", "llama3")

ASK = [{"role": "user", "content": "Zürich → 2+2?"}]
SAY = lambda text: [{"role": "assistant", "content": text}]
LONG = "The quick brown fox jumps over the lazy dog."
CASES = [
    ("text", {}, [{"prompt": "2+2=", "chosen": " 4", "rejected": " five"}, {"prompt": "", "chosen": "yes", "rejected": "no 🙂"},
                  {"prompt": "ends itself: ", "chosen": "yes</s>", "rejected": "no"}, {"prompt": "one is empty", "chosen": "", "rejected": "x"}]),
    ("text_implicit", {}, [{"chosen": "The sky is blue.", "rejected": "The sky is green."}, {"chosen": "Say yes", "rejected": "Say  no"},
                           {"chosen": "alike", "rejected": "alike and longer"}, {"chosen": "same", "rejected": "same"},
                           {"chosen": "🙂 ok", "rejected": "🙃 ok"}, {"chosen": "a 🙂", "rejected": "a 🙃"}, {"chosen": "x", "rejected": "y"}]),
    ("messages", {}, [{"prompt": ASK, "chosen": SAY("4 🙂"), "rejected": SAY("5")},
                      {"prompt": [{"role": "system", "content": "Be brief."}] + ASK, "chosen": SAY("4"), "rejected": SAY("Four, I think.")}]),
    ("messages_implicit", {}, [{"chosen": ASK + SAY("4"), "rejected": ASK + SAY("5")},
                               {"chosen": ASK + SAY("4") + ASK + SAY("5"), "rejected": ASK + SAY("4") + ASK + SAY("4")},
                               {"chosen": ASK + SAY("4"), "rejected": ASK + SAY("4") + ASK + SAY("4")}]),
    ("keep_start", {"max_length": 14}, [{"prompt": "2+2=", "chosen": LONG, "rejected": "4"}, {"prompt": LONG, "chosen": "a", "rejected": "b"},
                                        {"prompt": "0123456789", "chosen": LONG, "rejected": LONG[4:]}]),
    ("keep_end", {"max_length": 14, "truncation_mode": "keep_end"}, [{"prompt": "2+2=", "chosen": LONG, "rejected": "4"},
                                                                     {"prompt": LONG, "chosen": "a", "rejected": "b"}]),
    ("prompt_of_another_tokenisation", {}, [{"prompt": "a<|us", "chosen": "er|>b and more", "rejected": "er|> less"}]),
]


def tiny():
    return LlamaForCausalLM(LlamaConfig(vocab_size=264, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1))


def prepared(name, options, rows, tok):
    with tempfile.TemporaryDirectory() as d:
        config = DPOConfig(output_dir=d, report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False, **{"max_length": 1024, **options})
        trainer = DPOTrainer(model=tiny(), ref_model=tiny(), args=config, train_dataset=Dataset.from_list(rows), processing_class=tok)
        expected = []
        for row in trainer.train_dataset:
            batch = trainer.data_collator([{k: row[k] for k in ("prompt_ids", "chosen_ids", "rejected_ids")}])
            n = batch["attention_mask"].sum(1).tolist()
            at = lambda key, i: batch[key][i, :n[i]].tolist()
            expected.append({"chosen": at("input_ids", 0), "chosen_mask": at("completion_mask", 0),
                             "rejected": at("input_ids", 1), "rejected_mask": at("completion_mask", 1)})
    return {"name": name, "max_length": config.max_length, "truncation_mode": config.truncation_mode, "rows": rows, "expected": expected}


def trainer_of(loss_type, beta, smoothing, weights=None):
    """As much of a DPOTrainer as _compute_loss asks for."""
    gather = types.SimpleNamespace(device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x)
    t = types.SimpleNamespace(
        model=types.SimpleNamespace(training=True), accelerator=gather, aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=True,
        f_divergence_type="reverse_kl", loss_types=[loss_type], loss_weights=[1.0], beta=beta, label_smoothing=smoothing, use_weighting=False,
        _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1)
    return t


def slopes_of(loss_type, beta, smoothing, logits, ids, mask, ref):
    logits = logits.clone().requires_grad_()
    n = len(ids) // 2
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "completion_mask": mask, "ref_chosen_logps": ref[:n], "ref_rejected_logps": ref[n:]}
    loss = DPOTrainer._compute_loss(
        trainer_of(loss_type, beta, smoothing), lambda **kw: types.SimpleNamespace(logits=logits), inputs, False)
    loss.backward()
    # d loss / d logit of the target is the slope by its log-probability times 1 - p
    p = logits.detach().softmax(-1)
    slopes = []
    for row in range(len(ids)):
        at = int(mask[row].nonzero()[0]) - 1
        target = ids[row, at + 1]
        slopes.append(float(logits.grad[row, at, target] / (1 - p[row, at, target])))
    return float(loss.detach()), slopes


def losses():
    g = torch.Generator().manual_seed(5)
    n, length, vocabulary = 5, 9, 7
    ids = torch.randint(0, vocabulary, (2 * n, length), generator=g)
    starts, ends = [2, 3, 1, 4, 2] * 2, [9, 5, 7, 8, 6, 6, 9, 8, 6, 7]
    mask = torch.tensor([[int(a <= i < b) for i in range(length)] for a, b in zip(starts, ends)])
    logits = torch.randn(2 * n, length, vocabulary, generator=g, dtype=torch.float64)
    logps = (logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0] * mask[:, 1:]).sum(1)
    out = {"logps": logps.tolist(), "tokens": mask.sum(1).tolist(), "cases": []}
    for spread in (0.5, 8.0):
        ref = logps + spread * torch.randn(2 * n, generator=g, dtype=torch.float64)
        for beta in (0.1, 0.7):
            for kind in ("sigmoid", "hinge", "ipo", "sigmoid_norm", "apo_zero", "apo_down", "bco_pair", "nca_pair", "sppo_hard", "robust", "exo_pair"):
                for smoothing in {"robust": (0.0, 0.1, 0.3), "exo_pair": (1e-3, 0.1)}.get(kind, (0.0,)):
                    loss, slopes = slopes_of(kind, beta, smoothing, logits, ids, mask, ref)
                    out["cases"].append({"loss_type": kind, "beta": beta, "label_smoothing": smoothing, "ref": ref.tolist(), "loss": loss, "slopes": slopes})
            # conservative DPO left "sigmoid" in TRL 1; "aot" of a single pair, which sorts nothing, has the same formula
            parts = [slopes_of("aot", beta, 0.1, logits[[i, n + i]], ids[[i, n + i]], mask[[i, n + i]], ref[[i, n + i]]) for i in range(n)]
            out["cases"].append({
                "loss_type": "sigmoid", "beta": beta, "label_smoothing": 0.1, "ref": ref.tolist(), "loss": sum(p[0] for p in parts) / n,
                "slopes": [p[1][0] / n for p in parts] + [p[1][1] / n for p in parts]})
    return out


PAIRS = [{"prompt": p, "chosen": c, "rejected": r} for p, c, r in [
    ("2+2=", " 4", " five"), ("The sky is", " blue.", " green, I am told."), ("Say yes: ", "yes", "no"), ("One, two,", " three", " four, five"),
    ("Up or down? ", "Up it is", "down"), ("a b c", " d", " x"), ("Ende gut, ", "alles gut", "nichts")]]
PLAIN = {"steps": 5, "batch": 2, "accumulation": 1, "learning_rate": 5e-3, "beta": 0.1, "loss_type": "sigmoid", "label_smoothing": 0.0,
         "max_grad_norm": 0.0, "weight_decay": 0.0, "precompute": False}
RUNS = {
    "sigmoid-lora": {"start": "lora"},
    "sigmoid-dora": {"start": "dora"},
    "sigmoid-fresh": {"start": "fresh", "learning_rate": 1e-2},
    "sigmoid-fresh-dora": {"start": "fresh-dora", "learning_rate": 1e-2},
    "ipo-lora": {"start": "lora", "loss_type": "ipo", "accumulation": 2},
    "apo_zero-dora": {"start": "dora", "loss_type": "apo_zero", "max_grad_norm": 0.5, "weight_decay": 0.05},
    "robust-lora": {"start": "lora", "loss_type": "robust", "label_smoothing": 0.1, "precompute": True},
}


def policy(start, out):
    config = json.load(open(os.path.join(LLAMA, "model", "config.json")))
    base = make_golden.build("llama3", config, load_file(os.path.join(LLAMA, "model", "model.safetensors")))
    if not start.startswith("fresh"):
        return PeftModel.from_pretrained(base, os.path.join(LLAMA, start), is_trainable=True), None
    return base, LoraConfig(r=4, lora_alpha=8, use_dora=start.endswith("dora"), task_type="CAUSAL_LM", target_modules=["q_proj", "v_proj", "down_proj"])


def run(name, c, tok, out):
    with tempfile.TemporaryDirectory() as d:
        torch.manual_seed(3)
        model, peft_config = policy(c["start"], out)
        config = DPOConfig(
            output_dir=d, report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False, per_device_train_batch_size=c["batch"],
            per_device_eval_batch_size=8, gradient_accumulation_steps=c["accumulation"], max_steps=c["steps"], learning_rate=c["learning_rate"],
            lr_scheduler_type="constant", train_sampling_strategy="sequential", logging_steps=1, save_strategy="no", optim="adamw_torch",
            max_grad_norm=c["max_grad_norm"] or 1e9, weight_decay=c["weight_decay"], beta=c["beta"], loss_type=c["loss_type"],
            label_smoothing=c["label_smoothing"], precompute_ref_log_probs=c["precompute"], disable_tqdm=True)
        rows = [PAIRS[i % len(PAIRS)] for i in range(c["steps"] * c["batch"] * c["accumulation"])]
        trainer = DPOTrainer(model=model, args=config, train_dataset=Dataset.from_list(rows), eval_dataset=Dataset.from_list(PAIRS[:5]),
                             processing_class=tok, peft_config=peft_config)
        if peft_config is not None:
            trainer.model.peft_config["default"].base_model_name_or_path = "golden/llama3"
            trainer.model.save_pretrained(os.path.join(out, c["start"]))
            for extra in ("README.md",):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(os.path.join(out, c["start"], extra))
        trainer.train()
        trainer.evaluate()
        save_file({k: v.clone() for k, v in get_peft_model_state_dict(trainer.model, adapter_name="default").items()}, os.path.join(out, f"{name}.safetensors"))
        log = [e for e in trainer.state.log_history if "loss" in e or "eval_loss" in e]
        print(name, [round(e.get("loss", e.get("eval_loss")), 4) for e in log])
        return {"name": name, **c, "log": log}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(RESOURCES, "dpo"))
    a = ap.parse_args()
    tok = PreTrainedTokenizerFast.from_pretrained(os.path.join(RESOURCES, "golden", "tokenizer"))
    os.makedirs(a.out, exist_ok=True)
    write = lambda name, value: open(os.path.join(a.out, name), "w").write(value + "\n")
    write("cases.json", "[\n" + ",\n".join(json.dumps(prepared(n, o, r, tok), ensure_ascii=False) for n, o, r in CASES) + "\n]")
    write("losses.json", json.dumps(losses()))
    with open(os.path.join(a.out, "rows.jsonl"), "w") as f:
        f.writelines(json.dumps(p) + "\n" for p in PAIRS)
    write("runs.json", "[\n" + ",\n".join(json.dumps(run(n, PLAIN | c, tok, a.out)) for n, c in RUNS.items()) + "\n]")


if __name__ == "__main__":
    main()
