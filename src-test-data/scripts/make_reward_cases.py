#!/usr/bin/env python
"""What real TRL makes of preferences for a reward model: pairs as tokens, losses with their slopes, and short runs of
RewardTrainer.

    python make_reward_cases.py [--out DIR]

Writes cases.json (a list of {name, max_length, rows, expected}, each file through RewardTrainer's own preparation),
losses.json (rewards of pairs, and for each setting the loss and its derivative by each reward, out of
RewardTrainer.compute_loss), rows.jsonl, and runs.json with a NAME.safetensors per run: the adapter with its score head
after the last step, begun from golden/llama3/score_lora or score_dora of make_score_cases.py. A run's "log" is what the
trainer logged of each step and of an evaluation at the end.
"""
import argparse, json, os, tempfile, types, warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
warnings.filterwarnings("ignore")
import make_golden  # also fixes the threads and the hash seed
import torch, transformers
from collections import defaultdict
from datasets import Dataset
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification, LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast
from trl import RewardConfig, RewardTrainer

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
    ("text_implicit", {}, [{"chosen": "The sky is blue.", "rejected": "The sky is green."}, {"chosen": "same", "rejected": "same"}]),
    ("messages", {}, [{"prompt": ASK, "chosen": SAY("4 🙂"), "rejected": SAY("5")},
                      {"prompt": [{"role": "system", "content": "Be brief."}] + ASK, "chosen": SAY("4"), "rejected": SAY("Four, I think.")}]),
    ("messages_implicit", {}, [{"chosen": ASK + SAY("4"), "rejected": ASK + SAY("5")}, {"chosen": ASK + SAY("4"), "rejected": ASK + SAY("4") + ASK + SAY("4")}]),
    ("too_long", {"max_length": 14}, [{"prompt": "2+2=", "chosen": LONG, "rejected": "4"}, {"prompt": "2+", "chosen": "2", "rejected": "3"},
                                      {"prompt": "2+2", "chosen": "a", "rejected": LONG}]),
    ("margins", {}, [{"prompt": "a", "chosen": "b", "rejected": "c", "margin": 0.5}, {"prompt": "a", "chosen": "c", "rejected": "b", "margin": -1.25}]),
    ("prompt_of_another_tokenisation", {}, [{"prompt": "a<|us", "chosen": "er|>b and more", "rejected": "er|> less"}]),
]


def tiny(tok):
    return LlamaForSequenceClassification(LlamaConfig(vocab_size=264, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                                                      num_attention_heads=1, num_labels=1, pad_token_id=tok.pad_token_id))


def prepared(name, options, rows, tok):
    with tempfile.TemporaryDirectory() as d:
        config = RewardConfig(output_dir=d, report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False, **{"max_length": 1024, **options})
        trainer = RewardTrainer(model=tiny(tok), args=config, train_dataset=Dataset.from_list(rows), processing_class=tok)
        expected = []
        for row in trainer.train_dataset:
            batch = trainer.data_collator([{k: row[k] for k in ("chosen_ids", "rejected_ids", "margin") if k in row}])
            n = batch["attention_mask"].sum(1).tolist()
            at = lambda i: batch["input_ids"][i, :n[i]].tolist()
            expected.append({"chosen": at(0), "rejected": at(1), "margin": batch["margin"].item() if "margin" in batch else 0.0})
    return {"name": name, "max_length": config.max_length, "rows": rows, "expected": expected}


def losses():
    g = torch.Generator().manual_seed(5)
    rewards = 3 * torch.randn(10, generator=g, dtype=torch.float64)
    rewards[3] = rewards[8] - 40
    out = {"rewards": rewards.tolist(), "cases": []}
    for margins in (None, torch.randn(5, generator=g, dtype=torch.float64)):
        for coefficient in (None, 0.01, 0.5):
            logits = rewards.clone().unsqueeze(1).requires_grad_()
            gather = types.SimpleNamespace(gather=lambda x: x, gather_for_metrics=lambda x: x)
            trainer = types.SimpleNamespace(
                model=types.SimpleNamespace(training=True), accelerator=gather, args=types.SimpleNamespace(center_rewards_coefficient=coefficient),
                _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1)
            inputs = {"attention_mask": torch.ones(10, 2)} | ({} if margins is None else {"margin": margins})
            loss = RewardTrainer.compute_loss(trainer, lambda **kw: types.SimpleNamespace(logits=logits), inputs)
            loss.backward()
            metrics = {k: sum(v) / len(v) for k, v in trainer._metrics["train"].items() if k != "num_tokens"}
            out["cases"].append({"margins": None if margins is None else margins.tolist(), "center_rewards_coefficient": coefficient,
                                 "loss": loss.item(), "slopes": logits.grad[:, 0].tolist(), "metrics": metrics})
    return out


PAIRS = [{"prompt": p, "chosen": c, "rejected": r, "margin": m} for p, c, r, m in [
    ("2+2=", " 4", " five", 0.5), ("The sky is", " blue.", " green, I am told.", 0.0), ("Say yes: ", "yes", "no", 1.5),
    ("One, two,", " three", " four, five", 0.25), ("Up or down? ", "Up it is", "down", 0.0), ("a b c", " d", " x", -0.5),
    ("Ende gut, ", "alles gut", "nichts", 0.75)]]
PLAIN = {"steps": 5, "batch": 2, "accumulation": 1, "learning_rate": 5e-3, "margins": False, "center_rewards_coefficient": None,
         "max_grad_norm": 0.0, "weight_decay": 0.0}
RUNS = {
    "lora": {"start": "score_lora"},
    "dora": {"start": "score_dora", "margins": True, "center_rewards_coefficient": 0.05, "max_grad_norm": 0.5, "weight_decay": 0.05},
    "lora-accumulated": {"start": "score_lora", "accumulation": 2, "margins": True},
}


def run(name, c, tok, out):
    with tempfile.TemporaryDirectory() as d:
        torch.manual_seed(3)
        base = AutoModelForSequenceClassification.from_pretrained(
            os.path.join(LLAMA, "model"), num_labels=1, pad_token_id=tok.pad_token_id, dtype=torch.float32, attn_implementation="eager")
        model = PeftModel.from_pretrained(base, os.path.join(LLAMA, c["start"]), is_trainable=True)
        config = RewardConfig(
            output_dir=d, report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False, per_device_train_batch_size=c["batch"],
            per_device_eval_batch_size=8, gradient_accumulation_steps=c["accumulation"], max_steps=c["steps"], learning_rate=c["learning_rate"],
            lr_scheduler_type="constant", train_sampling_strategy="sequential", logging_steps=1, save_strategy="no", optim="adamw_torch",
            max_grad_norm=c["max_grad_norm"] or 1e9, weight_decay=c["weight_decay"], disable_tqdm=True,
            center_rewards_coefficient=c["center_rewards_coefficient"])
        pairs = PAIRS if c["margins"] else [{k: v for k, v in p.items() if k != "margin"} for p in PAIRS]
        rows = [pairs[i % len(pairs)] for i in range(c["steps"] * c["batch"] * c["accumulation"])]
        trainer = RewardTrainer(model=model, args=config, train_dataset=Dataset.from_list(rows), eval_dataset=Dataset.from_list(pairs[:5]),
                                processing_class=tok)
        trainer.train()
        trainer.evaluate()
        save_file({k: v.clone() for k, v in get_peft_model_state_dict(trainer.model, adapter_name="default").items()}, os.path.join(out, f"{name}.safetensors"))
        os.chmod(os.path.join(out, f"{name}.safetensors"), 0o644)
        log = [e for e in trainer.state.log_history if "loss" in e or "eval_loss" in e]
        print(name, [round(e.get("loss", e.get("eval_loss")), 4) for e in log])
        return {"name": name, **c, "log": log}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(RESOURCES, "reward"))
    a = ap.parse_args()
    tok = PreTrainedTokenizerFast.from_pretrained(os.path.join(RESOURCES, "golden", "tokenizer"))
    print("pad", tok.pad_token_id, "eos", tok.eos_token_id)
    os.makedirs(a.out, exist_ok=True)
    write = lambda name, value: open(os.path.join(a.out, name), "w").write(value + "\n")
    write("cases.json", "[\n" + ",\n".join(json.dumps(prepared(n, o, r, tok), ensure_ascii=False) for n, o, r in CASES) + "\n]")
    write("losses.json", json.dumps(losses()))
    with open(os.path.join(a.out, "rows.jsonl"), "w") as f:
        f.writelines(json.dumps(p) + "\n" for p in PAIRS)
    write("runs.json", "[\n" + ",\n".join(json.dumps(run(n, PLAIN | c, tok, a.out)) for n, c in RUNS.items()) + "\n]")


if __name__ == "__main__":
    main()
