#!/usr/bin/env python
"""Events as TensorBoard's own protos and record writer make them. Needs tensorboard (2.21.0) alone.

    python make_tensorboard_golden.py [--out DIR]

Writes golden.tfevents: a version, a restart at step 301, two scalars, a text and a session of hyper-parameters, all at
the time 1.7e9, as EventFileTest writes them.
"""
import argparse, io, os

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.text.plugin_data_pb2 import TextPluginData
from tensorboard.summary.writer.record_writer import RecordWriter

HERE = os.path.dirname(os.path.abspath(__file__))
ONE = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
STRING, FLOAT = 7, 1


def value(step, **fields):
    return Event(wall_time=1.7e9, step=step, summary=Summary(value=[Summary.Value(**fields)]))


def metadata(plugin, content):
    return SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=plugin, content=content))


def events():
    yield Event(wall_time=1.7e9, file_version="brain.Event:2")
    yield Event(wall_time=1.7e9, step=301, session_log=SessionLog(status=SessionLog.START))
    yield value(1, tag="train/loss", simple_value=2.5)
    yield value(70_000, tag="eval/loss", simple_value=float("nan"))
    text = TensorProto(dtype=STRING, tensor_shape=ONE, string_val=["|setting|Übung|\n|---|---|\n".encode()])
    yield value(0, tag="args/text_summary", tensor=text,
                metadata=metadata("text", TextPluginData(version=0).SerializeToString()))
    start = plugin_data_pb2.SessionStartInfo()
    start.hparams["learning_rate"].number_value = 0.005
    data = plugin_data_pb2.HParamsPluginData(session_start_info=start)
    yield value(0, tag="_hparams_/session_start_info",
                tensor=TensorProto(dtype=FLOAT, tensor_shape=ONE, float_val=[0.0]),
                metadata=metadata("hparams", data.SerializeToString()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default=os.path.join(HERE, "../src/main/resources/tensorboard"))
    out = parser.parse_args().out
    os.makedirs(out, exist_ok=True)
    buffer = io.BytesIO()
    records = RecordWriter(buffer)
    for event in events():
        records.write(event.SerializeToString())
    with open(os.path.join(out, "golden.tfevents"), "wb") as file:
        file.write(buffer.getvalue())


main()
