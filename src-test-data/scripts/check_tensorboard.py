#!/usr/bin/env python
"""Reads a run's event files with TensorBoard's own reader and compares them with metrics.jsonl. Needs tensorboard.

    python check_tensorboard.py OUTPUT [LOGGING-DIR]

OUTPUT is what `peft4j train --report-to tensorboard` wrote; the logging directory is OUTPUT/runs unless given. Every
number of metrics.jsonl must be there, once, at its step, as float32. Prints what was read; exits with 1 on a difference.
"""
import json, math, os, struct, sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2


def float32(number):
    return struct.unpack("f", struct.pack("f", math.nan if number is None else number))[0]


def expected(output):
    curves = {}
    for line in open(os.path.join(output, "metrics.jsonl")):
        row = json.loads(line)
        for name, value in row.items():
            if name in ("loss", "grad_norm", "learning_rate", "tokens_per_second"):
                curves.setdefault("train/" + name, []).append((row["step"], float32(value)))
            elif name in ("eval_loss", "eval_perplexity"):
                curves.setdefault("eval/" + name[len("eval_"):], []).append((row["step"], float32(value)))
    return curves


def main():
    output = sys.argv[1]
    directory = sys.argv[2] if len(sys.argv) > 2 else os.path.join(output, "runs")
    events = EventAccumulator(directory, size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    found = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    print("files:", ", ".join(sorted(os.listdir(directory))))
    for tag, points in sorted(found.items()):
        print(f"{tag}: {len(points)} points, steps {points[0][0]} to {points[-1][0]}, last {points[-1][1]:.6g}")
    for tag in events.Tags()["tensors"]:
        plugin = events.SummaryMetadata(tag).plugin_data
        if plugin.plugin_name == "hparams":
            print(f"{tag}:", plugin_data_pb2.HParamsPluginData.FromString(plugin.content))
        else:
            print(f"{tag}:", events.Tensors(tag)[0].tensor_proto.string_val[0].decode())
    if found != expected(output):
        sys.exit("the curves differ from metrics.jsonl")
    print("all numbers of metrics.jsonl are there")


main()
