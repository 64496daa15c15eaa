#!/usr/bin/env python3
"""Writes the problems of the embedded pipeline: one sum or difference each, of numbers below ten.

    python make_embedded_sums.py ../src/main/resources/embedded

sums_sft.jsonl has prompt and completion, for a short fine-tuning; sums_prompts.jsonl and
sums_heldout.jsonl have prompt and answer, for rewards. No prompt is in two files or twice in one. What
differs is who has what, in which words: each of the 46 calculations may be in all three. The held-out
file has each of them twice.
"""

import json
import random
import sys
from pathlib import Path

NAMES = "Tom Anna Ben Lily Sam Mia Jack Emma Leo Nora Max Ella".split()
THINGS = "apples books cookies marbles pens stickers cards eggs flowers shells".split()
CALCULATIONS = [("+", a, b) for a in range(2, 7) for b in range(2, 7)]
CALCULATIONS += [("-", a, b) for a in range(4, 10) for b in range(2, a - 1)]

QUESTIONS = {
    "+": [
        "{who} has {a} {what} and buys {b} more. How many {what} does {who} have now?",
        "{who} has {a} {what}. {other} gives {who} {b} more {what}. How many {what} does {who} have in total?",
    ],
    "-": [
        "{who} has {a} {what} and gives {b} to {other}. How many {what} does {who} have left?",
        "{who} had {a} {what} but lost {b} of them. How many {what} are left?",
    ],
}


def problem(rng, sign, a, b):
    who, other = rng.sample(NAMES, 2)
    what = rng.choice(THINGS)
    question = rng.choice(QUESTIONS[sign]).format(who=who, other=other, what=what, a=a, b=b)
    result = a + b if sign == "+" else a - b
    return {
        "prompt": question + "\n",
        "completion": f"{who} has {a}{sign}{b}={result} {what}.",
        "answer": str(result),
    }


def problems(rng, count, calculation, seen):
    rows = []
    while len(rows) < count:
        row = problem(rng, *calculation(len(rows)))
        if row["prompt"] not in seen:
            seen.add(row["prompt"])
            rows.append(row)
    return rows


def write(path, rows, keys):
    path.write_text("".join(json.dumps({key: row[key] for key in keys}) + "\n" for row in rows))


def main():
    target = Path(sys.argv[1])
    rng = random.Random(7)
    seen = set()
    held_out = problems(rng, 2 * len(CALCULATIONS), lambda i: CALCULATIONS[i // 2], seen)
    sft = problems(rng, 64, lambda i: rng.choice(CALCULATIONS), seen)
    prompts = problems(rng, 256, lambda i: rng.choice(CALCULATIONS), seen)
    write(target / "sums_heldout.jsonl", held_out, ["prompt", "answer"])
    write(target / "sums_sft.jsonl", sft, ["prompt", "completion"])
    write(target / "sums_prompts.jsonl", prompts, ["prompt", "answer"])


if __name__ == "__main__":
    main()
