#!/usr/bin/env python
"""What real TRL makes of supervised rows: ids and labels for every row shape, with the golden tokenizer.

    python make_sft_cases.py [--out DIR]

Writes cases.json: a list of {name, max_length, rows, expected: [{ids, labels}]}, and assistant_cases.json, the same
with assistant_only_loss and with the tokenizer of each case. Each case goes through SFTTrainer's own preparation,
untouched, on a model too small to matter.
"""
import argparse, json, os, tempfile, warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
warnings.filterwarnings("ignore")
import torch, transformers
from datasets import Dataset
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))
RESOURCES = os.path.join(HERE, "..", "src", "main", "resources")

LONG = "The quick brown fox jumps over the lazy dog."
TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Zürich → 2+2?"},
         {"role": "assistant", "content": "4 🙂"}]
CASES = [
    ("text", {}, [{"text": "Hello, world!"}, {"text": " leading space"}, {"text": "naïve café 東京 🙂"},
                  {"text": "ends itself</s>"}, {"text": "ends early</s>\n"}, {"text": ""}]),
    ("text_truncated", {"max_length": 12}, [{"text": LONG}, {"text": "short"}, {"text": "exactly ten"}]),
    ("prompt_completion", {}, [{"prompt": "2+2=", "completion": " 4"}, {"prompt": "", "completion": "all of it"},
                               {"prompt": "ends itself: ", "completion": "yes</s>"}, {"prompt": "only a prompt", "completion": ""},
                               {"prompt": "naïve ", "completion": "東京"}]),
    ("prompt_completion_truncated", {"max_length": 10}, [{"prompt": "2+2=", "completion": LONG}, {"prompt": "12345678", "completion": LONG}]),
    ("prompt_of_another_tokenisation", {}, [{"prompt": "a<|us", "completion": "er|>b and more"}]),
    ("messages", {}, [{"messages": TURNS}, {"messages": TURNS[1:2]}, {"messages": TURNS + TURNS[1:]}]),
    ("messages_prompt", {}, [{"prompt": TURNS[:2], "completion": TURNS[2:]}]),
    ("conversations", {}, [{"conversations": [{"from": "user", "value": "hi"}, {"from": "assistant", "value": "there"}]}]),
    ("input_ids", {}, [{"input_ids": [1, 40, 41, 42]}, {"input_ids": [50]}]),
    ("input_ids_labels", {}, [{"input_ids": [1, 40, 41, 42], "labels": [-100, -100, 41, 42]}, {"input_ids": [1, 60], "labels": [1, 61]}]),
    ("input_ids_completion_mask", {"completion_only_loss": True},
     [{"input_ids": [1, 40, 41, 42], "completion_mask": [0, 0, 1, 1]}, {"input_ids": [1, 60, 61], "completion_mask": [0, 1, 0]}]),
    ("input_ids_assistant_masks", {}, [{"input_ids": [1, 40, 41, 42], "assistant_masks": [0, 1, 0, 1]}]),
    ("input_ids_labels_truncated", {"max_length": 3}, [{"input_ids": [1, 40, 41, 42], "labels": [-100, 40, 41, 42]}]),
]

TALK = TURNS + [{"role": "user", "content": "and 3+3?"}, {"role": "assistant", "content": " Six.\n"}]
ASSISTANT_ROWS = [{"messages": TURNS}, {"messages": TALK}]
ASSISTANT_CASES = [
    ("messages", {}, ASSISTANT_ROWS),
    ("messages_truncated", {"max_length": 41}, ASSISTANT_ROWS[1:]),
    ("messages_prompt", {}, [{"prompt": TALK[:4], "completion": TALK[4:]}, {"prompt": TURNS[:2], "completion": TURNS[2:]}]),
]


def prepared(name, options, rows, tok):
    model = LlamaForCausalLM(LlamaConfig(vocab_size=1024, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1))
    with tempfile.TemporaryDirectory() as d:
        config = SFTConfig(output_dir=d, report_to=[], use_cpu=True, **{"max_length": 1024, **options})
        trainer = SFTTrainer(model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tok)
        got = [{"ids": r["input_ids"], "labels": r["labels"]} for r in trainer.train_dataset]
    # TRL drops rows that are left without a label; these cases have none, so that rows stay in step
    assert len(got) == len(rows), (name, len(got), len(rows))
    return {"name": name, "max_length": config.max_length, "rows": rows, "expected": got}


def write(path, cases):
    with open(path, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]\n")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(RESOURCES, "sft"))
    a = ap.parse_args()
    tok = PreTrainedTokenizerFast.from_pretrained(os.path.join(RESOURCES, "golden", "tokenizer"))
    os.makedirs(a.out, exist_ok=True)
    write(os.path.join(a.out, "cases.json"), [prepared(name, options, rows, tok) for name, options, rows in CASES])
    cases = []
    for family in ("llama3", "phi3"):
        directory = os.path.join("golden", "tokenizers", family)
        other = AutoTokenizer.from_pretrained(os.path.join(RESOURCES, directory))
        for name, options, rows in ASSISTANT_CASES:
            if name == "messages_truncated" and family == "llama3":
                options = {"max_length": 70}  # its small vocabulary needs more tokens
            cases.append({"tokenizer": directory} | prepared(name, options | {"assistant_only_loss": True}, rows, other))
    write(os.path.join(a.out, "assistant_cases.json"), cases)


if __name__ == "__main__":
    main()
