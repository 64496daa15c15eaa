"""The other side of the benchmark: Hugging Face PEFT on the same model, adapter and tokens.

Usage: peer.py MODEL ADAPTER TOKENS DTYPE STEPS on|off, as TrainingProcess.java; prints one line of JSON.
Needs torch, transformers and peft. OpenELM is no part of transformers: the reference module of the
tests stands in, with torch's scaled_dot_product_attention as Apple's own code has it.
"""
import functools
import json
import os
import sys
import time
from pathlib import Path

import peft
import torch
import torch.nn.functional as F
import torch.utils.checkpoint
import transformers

SCRIPTS = Path(__file__).resolve().parent.parent / "src-test-data" / "scripts"


def status(key):
    for line in open("/proc/self/status"):
        if line.startswith(key):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")


def reset_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def openelm(directory, dtype):
    sys.path.insert(0, str(SCRIPTS))
    import openelm_ref
    from safetensors.torch import load_file

    def attention(self, x, mask):
        b, s, _ = x.shape
        y = self.qkv_proj(x).reshape(b, s, self.q + 2 * self.kv, self.hd).transpose(1, 2)
        q, k, v = y.split([self.q, self.kv, self.kv], dim=1)
        if self.q_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k = openelm_ref.rope(q, self.theta), openelm_ref.rope(k, self.theta)
        n = self.q // self.kv
        k, v = k.repeat_interleave(n, dim=1), v.repeat_interleave(n, dim=1)
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(o.transpose(1, 2).reshape(b, s, self.q * self.hd))

    openelm_ref.Attention.forward = attention
    model = openelm_ref.OpenELMForCausalLM(json.loads((directory / "config.json").read_text()))
    model.load_state_dict(load_file(directory / "model.safetensors"))
    return model.to(dtype)


def load(directory, dtype):
    config = json.loads((directory / "config.json").read_text())
    if config["model_type"] == "openelm":
        return openelm(directory, dtype)
    return transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=dtype)


def checkpoint_layers(model):
    """Has layers computed again in backward; the reference OpenELM lacks the switch for it."""
    kwargs = {"use_reentrant": False}
    if getattr(model.get_base_model(), "supports_gradient_checkpointing", False):
        model.get_base_model().gradient_checkpointing_enable(gradient_checkpointing_kwargs=kwargs)
        return
    for layer in model.get_base_model().transformer.layers:
        layer.forward = functools.partial(torch.utils.checkpoint.checkpoint, layer.forward, **kwargs)


def main():
    directory, adapter, tokens, dtype, steps, checkpointing = sys.argv[1:]
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = load(Path(directory), getattr(torch, dtype))
    # float32 adapters over base weights of any type, as PEFT's autocast_adapter_dtype has it
    model = peft.PeftModel.from_pretrained(model, adapter, is_trainable=True)
    model.train()
    if checkpointing == "on":
        checkpoint_layers(model)
    ids = torch.tensor([[int(t) for t in row.split()] for row in open(tokens)])
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0)
    loading_peak = status("VmHWM")
    reset_peak()
    losses, seconds, cpu = [], [], []
    for step in range(int(steps)):
        wall, process = time.perf_counter(), time.process_time()
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if step > 0:
            seconds.append(time.perf_counter() - wall)
            cpu.append(time.process_time() - process)
    print(json.dumps({
        "losses": losses, "seconds": seconds, "cpuSeconds": cpu,
        "stepPeakMb": status("VmHWM"), "processPeakMb": max(loading_peak, status("VmHWM")),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                     "peft": peft.__version__, "threads": str(torch.get_num_threads())}}))


if __name__ == "__main__":
    main()
