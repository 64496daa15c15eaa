#!/usr/bin/env python3
"""Pairs of answers for the embedded model, made of its fine-tuning data: which of two ways to write one answer is better.

    python make_embedded_preferences.py

Writes embedded/dpo_train.jsonl and dpo_eval.jsonl. The chosen answer is GSM8K's own, with its calculator marks
(<<48/2=24>>) and its last line (#### 24); the rejected one is the same as prose, which is how the model was pretrained.
"""
import json, os, re

EMBEDDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "main", "resources", "embedded")


def pairs(name, count):
    out = []
    with open(os.path.join(EMBEDDED, name)) as f:
        for line in f:
            row = json.loads(line)
            prose = re.sub(r"<<[^>]*>>", "", re.sub(r"\n#### .*$", "", row["completion"]))
            if prose != row["completion"] and "<<" in row["completion"]:
                out.append({"prompt": row["prompt"], "chosen": row["completion"], "rejected": prose})
    return out[:count]


def main():
    for source, target, count in (("sft_train.jsonl", "dpo_train.jsonl", 128), ("sft_eval.jsonl", "dpo_eval.jsonl", 32)):
        with open(os.path.join(EMBEDDED, target), "w") as f:
            f.writelines(json.dumps(p, ensure_ascii=False) + "\n" for p in pairs(source, count))


if __name__ == "__main__":
    main()
