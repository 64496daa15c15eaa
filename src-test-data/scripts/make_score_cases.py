#!/usr/bin/env python
"""What transformers' LlamaForSequenceClassification with one label and PEFT make of the tiny LLaMA: adapters with a
trained score head, their rewards, and the gradients of a reward model's loss.

    python make_score_cases.py [--out DIR] [--java DIR]

Writes score_lora and score_dora beside golden/llama3/model: the adapter as PEFT saves it, and golden.safetensors with
input_ids (4, 9), attention_mask, rewards (4), loss and grad.KEY of -log sigmoid of the rewards of rows 0 and 1 less those
of 2 and 3. With --java it loads an adapter that ScoreHeadGoldenTest left there (-Dpeft4j.interchange=DIR) and adds it as
score_java, with golden.safetensors of the same rows' rewards.
"""
import argparse, os, shutil, warnings

warnings.filterwarnings("ignore")
import make_golden as mg  # also fixes the threads and the hash seed
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoModelForSequenceClassification

LLAMA = os.path.join(mg.HERE, "..", "src", "main", "resources", "golden", "llama3")
PAD = 3
LENGTHS = [9, 5, 7, 2]


def base():
    torch.manual_seed(11)  # of the base's own score head, which no adapter with one of its own uses
    return AutoModelForSequenceClassification.from_pretrained(
        os.path.join(LLAMA, "model"), num_labels=1, pad_token_id=PAD, dtype=torch.float32, attn_implementation="eager")


def rows():
    g = torch.Generator().manual_seed(12)
    ids = torch.randint(4, mg.VOCAB, (4, 9), generator=g)
    mask = torch.tensor([[int(i < n) for i in range(9)] for n in LENGTHS])
    return torch.where(mask == 1, ids, PAD), mask


def rewards(model):
    ids, mask = rows()
    return model(input_ids=ids, attention_mask=mask).logits.squeeze(-1)


def by_peft(name, dora, out):
    config = LoraConfig(r=4, lora_alpha=8, use_dora=dora, task_type="SEQ_CLS", target_modules=["q_proj", "down_proj"])
    model = get_peft_model(base(), config)
    g = torch.Generator().manual_seed(13)
    with torch.no_grad():
        for n, p in sorted(model.named_parameters()):
            if p.requires_grad and "magnitude" not in n:
                p.copy_(0.2 * torch.randn(p.shape, generator=g))
            elif p.requires_grad:
                p.mul_(1 + 0.1 * torch.randn(p.shape, generator=g))
    model.peft_config["default"].base_model_name_or_path = "golden/llama3"
    directory = os.path.join(out, name)
    model.save_pretrained(directory)
    os.remove(os.path.join(directory, "README.md"))
    model.eval()
    found = rewards(model)
    loss = -torch.nn.functional.logsigmoid(found[:2] - found[2:]).mean()
    loss.backward()
    named = {n.replace(".modules_to_save.default", "").replace("vector.default.weight", "vector").replace(".default", ""): p.grad
             for n, p in model.named_parameters() if p.requires_grad}
    assert sorted(named) == sorted(get_peft_model_state_dict(model)), (sorted(named), sorted(get_peft_model_state_dict(model)))
    ids, mask = rows()
    save(directory, {"input_ids": ids, "attention_mask": mask, "rewards": found, "loss": loss.reshape(1)}
         | {"grad." + k: v for k, v in named.items()})
    again = PeftModel.from_pretrained(base(), directory).eval()
    torch.testing.assert_close(rewards(again), found)
    print(name, found.tolist(), loss.item())


def by_java(source, out):
    directory = os.path.join(out, "score_java")
    os.makedirs(directory, exist_ok=True)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copyfile(os.path.join(source, file), os.path.join(directory, file))
    model = PeftModel.from_pretrained(base(), directory)
    with torch.no_grad():
        found = rewards(model.eval())
    save(directory, {"rewards": found})
    print("score_java", found.tolist())


def save(directory, tensors):
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()},
              os.path.join(directory, "golden.safetensors"), metadata={"format": "pt"})
    for file in os.listdir(directory):
        os.chmod(os.path.join(directory, file), 0o644)


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--out", default=LLAMA)
    args.add_argument("--java")
    a = args.parse_args()
    if a.java:
        by_java(a.java, a.out)
        return
    by_peft("score_lora", False, a.out)
    by_peft("score_dora", True, a.out)


main()
