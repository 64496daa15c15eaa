#!/usr/bin/env python
"""What lm-evaluation-harness 0.4.13 makes of the rows in choice/: texts, tokens, log-likelihoods and accuracies.

    python make_choice_cases.py [--out DIR]

Needs `lm_eval` beside what setup.sh installs (pip install --no-deps lm_eval==0.4.13); modules that it imports but that
nothing here uses may be missing. The rows are our own. Each goes through the harness' own task: its YAML file with
process_docs, doc_to_text, doc_to_target and doc_to_choice, then construct_requests, HFLM.loglikelihood and
process_results. `commonsense` is no task of the harness: its texts are put together here, as CoreNet's
main_eval_llmadapters does (which cannot be installed), and go through the same HFLM.

Writes cases.json: per task the texts of each question with its answer, and per model and choice [tokens read and
scored, of which scored, CRC-32 of the tokens as little-endian int64, the scored tokens, log p], then acc and acc_norm with
standard errors. Models: the random LLaMA with its byte tokenizer, whose context of 128 cuts many questions, alone and with a
PEFT adapter; and the embedded OpenELM, in float32, whose modules are openelm_ref's.
"""
import argparse, glob, json, os, struct, sys, types, zlib
from unittest import mock

import make_golden, openelm_ref  # the first also fixes threads and the hash seed
import torch
from datasets import Dataset, disable_progress_bars
from peft import PeftModel
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

for name in ("evaluate", "more_itertools", "pytablewriter", "rouge_score", "sacrebleu", "sqlitedict", "word2number"):
    try:
        __import__(name)
    except ImportError:
        sys.modules[name] = mock.MagicMock()
import lm_eval.tasks
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import aggregate_subtask_metrics, mean, mean_stderr, pooled_sample_stderr
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks._yaml_loader import load_yaml

disable_progress_bars()
HERE = os.path.dirname(os.path.abspath(__file__))
RESOURCES = os.path.join(HERE, "..", "src", "main", "resources")
TASKS = os.path.dirname(lm_eval.tasks.__file__)
YAML = {"boolq": "super_glue/boolq/default.yaml", "piqa": "piqa/piqa.yaml", "social_iqa": "siqa/siqa.yaml",
        "hellaswag": "hellaswag/hellaswag.yaml", "winogrande": "winogrande/default.yaml", "arc_easy": "arc/arc_easy.yaml",
        "arc_challenge": "arc/arc_challenge.yaml", "openbookqa": "openbookqa/openbookqa.yaml"}


def rows_of(name):
    return [json.loads(line) for line in open(os.path.join(RESOURCES, "choice", name + ".jsonl"), encoding="utf-8")]


def harness_task(yaml, rows):
    """The task of a YAML file on given rows; both metrics are asked for, whichever the file names."""
    class Local(ConfigurableTask):
        def download(self, dataset_kwargs=None, **kwargs):
            self.dataset = {split: Dataset.from_list(rows) for split in ("train", "validation", "test", "dev")}
    config = load_yaml(os.path.join(TASKS, yaml))
    config["metric_list"] = [{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in ("acc", "acc_norm")]
    return Local(config=config)


def questions(task, subject=None):
    for doc in task.validation_docs() if task.has_validation_docs() else task.test_docs():
        context = task.fewshot_context(doc, 0)
        requests = task.construct_requests(doc, context)
        gold = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
        metrics = lambda results, doc=doc: task.process_results(doc, results)
        yield {"pairs": [r.args for r in requests], "answer": int(gold), "subject": subject, "metrics": metrics}


def commonsense(rows):
    for row in rows:
        names = row["instruction"].split("Answer format: ")[-1].split("/")
        gap = " " * 16
        context = ("Below is an instruction that describes a task. Write a response that appropriately completes the request.  \n"
                   f"\n{gap}### Instruction:\n{gap}{row['instruction']}\n{gap}\n{gap}### Response:\n{gap}")
        pairs = [(context, f"the correct answer is {name}") for name in names]
        gold = names.index(row["answer"])
        def metrics(results, pairs=pairs, gold=gold):
            likelihoods = [r[0] for r in results]
            normed = [r / len(p[1]) for r, p in zip(likelihoods, pairs)]
            return {"acc": float(max(range(len(pairs)), key=likelihoods.__getitem__) == gold),
                    "acc_norm": float(max(range(len(pairs)), key=normed.__getitem__) == gold)}
        yield {"pairs": pairs, "answer": gold, "subject": None, "metrics": metrics}


def all_questions():
    found = {name: list(questions(harness_task(yaml, rows_of(name)))) for name, yaml in YAML.items()}
    rows = rows_of("mmlu")
    found["mmlu"] = []
    for subject in dict.fromkeys(row["subject"] for row in rows):
        task = harness_task(f"mmlu/default/mmlu_{subject}.yaml", [row for row in rows if row["subject"] == subject])
        found["mmlu"] += questions(task, subject)
    found["commonsense"] = list(commonsense(rows_of("commonsense")))
    return found


class Recorded(HFLM):
    """Keeps the tokens that loglikelihood makes of its texts."""

    def _loglikelihood_tokens(self, requests, **kwargs):
        for _, context, continuation in requests:
            assert len(continuation) <= self.max_length
            self.tokens.append(((context + continuation)[-(self.max_length + 1):], len(continuation)))
        return super()._loglikelihood_tokens(requests, **kwargs)

    def score(self, pairs):
        self.tokens = []
        requests = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
        return self.loglikelihood(requests, disable_tqdm=True)


def llama(adapter=None):
    folder = os.path.join(RESOURCES, "golden", "llama3")
    config = json.load(open(os.path.join(folder, "model", "config.json")))
    model = make_golden.build("llama3", config, load_file(os.path.join(folder, "model", "model.safetensors")))
    tok = PreTrainedTokenizerFast.from_pretrained(os.path.join(RESOURCES, "golden", "tokenizer"))
    lm = Recorded(pretrained=model, tokenizer=tok, device="cpu", batch_size=4, max_length=config["max_position_embeddings"])
    if adapter:
        lm._model = PeftModel.from_pretrained(model, os.path.join(folder, adapter)).eval()
    return lm


def openelm():
    folder = os.path.join(RESOURCES, "embedded", "model")
    config = json.load(open(os.path.join(folder, "config.json")))
    model = openelm_ref.OpenELMForCausalLM(config)
    model.load_state_dict({k: v.float() for k, v in load_file(os.path.join(folder, "model.safetensors")).items()})
    model.eval()
    tok = PreTrainedTokenizerFast.from_pretrained(folder)
    lm = Recorded(pretrained=llama().model, tokenizer=tok, device="cpu", batch_size=4, max_length=config["max_context_length"])
    def call(ids, **unused):
        with torch.no_grad():
            return model(ids).logits
    lm._model_call = call
    return lm


def aggregated(metric, parts):
    values = [[q[metric] for q in part] for part in parts]
    if len(values) == 1:
        return mean(values[0]), mean_stderr(values[0])
    sizes = [len(v) for v in values]
    return aggregate_subtask_metrics([mean(v) for v in values], sizes), float(pooled_sample_stderr([mean_stderr(v) for v in values], sizes))


def scored(lm, asked):
    choices, parts = [], {}
    for question in asked:
        results = lm.score(question["pairs"])
        row = []
        for (ids, count), (log_p, _) in zip(lm.tokens, results):
            crc = zlib.crc32(struct.pack(f"<{len(ids)}q", *ids))
            row.append([len(ids), count, crc, ids[-count:], round(log_p, 6)])
        choices.append(row)
        parts.setdefault(question["subject"], []).append(question["metrics"](results))
    out = {"choices": choices}
    for metric in ("acc", "acc_norm"):
        out[metric], out[metric + "_stderr"] = map(float, aggregated(metric, list(parts.values())))
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(RESOURCES, "choice"))
    a = ap.parse_args()
    asked = all_questions()
    models = {"llama3": llama(), "llama3/dora": llama("dora"), "embedded": openelm()}
    cases = {}
    for name, found in asked.items():
        texts = []
        for q in found:
            contexts = [c for c, _ in q["pairs"]]
            texts.append({"context": contexts[0] if len(set(contexts)) == 1 else contexts, "continuations": [c for _, c in q["pairs"]],
                          "answer": q["answer"]})
        cases[name] = {"questions": texts, "models": {}}
        for key, lm in models.items():
            if key != "llama3/dora" or name in ("piqa", "mmlu"):
                cases[name]["models"][key] = scored(lm, found)
    with open(os.path.join(a.out, "cases.json"), "w", encoding="utf-8") as f:
        f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False, separators=(',', ':'))}" for k, v in cases.items()) + "\n}\n")
    for name, case in cases.items():
        print(name, {k: (round(m["acc"], 4), round(m["acc_norm"], 4)) for k, m in case["models"].items()})


if __name__ == "__main__":
    main()
