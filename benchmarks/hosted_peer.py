"""The other side of benchmarks/hosted: Hugging Face PEFT on the same encoder, adapter and tokens.

    hosted_peer.py make ARCHIVE     traces the encoder
    hosted_peer.py lora|dora STEPS  trains and prints what HostedEncoder.java prints

Needs torch, transformers and peft.
"""
import resource
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

torch.manual_seed(0)
config = BertConfig(
    vocab_size=1000, hidden_size=768, num_hidden_layers=4, num_attention_heads=12,
    intermediate_size=3072, max_position_embeddings=64, num_labels=3, attn_implementation="eager")
model = BertForSequenceClassification(config).eval()
ids = (torch.arange(8 * 64) * 37 % 1000).reshape(8, 64)
mask = torch.ones(8, 64, dtype=torch.long)
labels = torch.arange(8) % 3


class Wrapper(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model

    def forward(self, ids, mask):
        return self.model(input_ids=ids, attention_mask=mask, return_dict=False)[0]


method = sys.argv[1]
if method == "make":
    with torch.no_grad():
        torch.jit.trace(Wrapper().eval(), (ids, mask), check_trace=False).save(sys.argv[2])
    sys.exit()
adapted = get_peft_model(model, LoraConfig(
    r=8, lora_alpha=16, target_modules=["query", "key", "value", "dense"], use_dora=method == "dora"))
optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=1e-3)
seconds = []
for _ in range(int(sys.argv[2]) + 2):
    start = time.perf_counter()
    optimizer.zero_grad()
    out = adapted(input_ids=ids, attention_mask=mask).logits
    nn.functional.cross_entropy(out, labels).backward()
    optimizer.step()
    seconds.append(time.perf_counter() - start)
seconds = sorted(seconds[2:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(f"PEFT {method}: median {seconds[len(seconds) // 2]:.3f} s, least {seconds[0]:.3f} s, peak {peak:.0f} MB")
