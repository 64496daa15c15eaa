#!/usr/bin/env python
"""What real TRL makes of the rewards of answers: advantages, losses with their slopes, and gradients, of GRPO and RLOO.

    python make_group_cases.py [--out DIR]

Runs _generate, _generate_and_score_completions and _compute_loss of GRPOTrainer and RLOOTrainer on given answers.
Writes cases.json, with given log-probabilities (each case with its settings, what TRL logs, the advantages, the loss
and its derivative by each log-probability of the policy), and gradients.json with a NAME.safetensors per case: the
gradients of the adapters of the tiny LLaMA, whose reference is the base model.
"""
import argparse, json, os, types, warnings
from collections import defaultdict

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")
import make_golden  # also fixes the threads and the hash seed
import torch, transformers
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast
from trl import GRPOTrainer, RLOOTrainer

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))
RESOURCES = os.path.join(HERE, "..", "src", "main", "resources")
LLAMA = os.path.join(RESOURCES, "golden", "llama3")
EOS, PAD = 2, 0
LIMIT = 6
COMMON = {"algorithm": "grpo", "num_generations": 4, "num_iterations": 2, "beta": 0.0, "epsilon": 0.2, "epsilon_high": 0.2, "mask_truncated_completions": False}
GRPO = COMMON | {"loss_type": "dapo", "scale_rewards": "group", "importance_sampling_level": "token", "use_bias_correction_kl": True}
RLOO = COMMON | {"algorithm": "rloo", "beta": 0.05, "normalize_advantages": False, "reward_clip_range": None}


def stub(c, answers, rewards, names, weights, told, model=None, temperature=1.0):
    """As much of a trainer as these methods ask for; told(model, answers) gives log-probabilities and entropies."""
    kind = GRPOTrainer if c["algorithm"] == "grpo" else RLOOTrainer
    gather = types.SimpleNamespace(
        device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x, reduce=lambda x, reduction=None: x, process_index=0,
        num_processes=1, unwrap_model=lambda m: m, sync_gradients=True, is_main_process=True)
    t = types.SimpleNamespace(
        accelerator=gather, model=model or types.SimpleNamespace(training=True, is_gradient_checkpointing=False), ref_model=None,
        environment_factories=None, environments=None, tools=None, rollout_func=None, use_vllm=False, pad_to_multiple_of=None,
        _tokenizer=types.SimpleNamespace(eos_token_id=EOS, pad_token_id=PAD), chat_template_kwargs={}, temperature=temperature,
        processing_class=types.SimpleNamespace(
            batch_decode=lambda ids, skip_special_tokens: ["" for _ in ids], eos_token_id=EOS, pad_token_id=PAD),
        mask_truncated_completions=c["mask_truncated_completions"], beta=c["beta"], epsilon_low=c["epsilon"], epsilon_high=c["epsilon_high"],
        num_generations=c["num_generations"], num_iterations=c["num_iterations"], reward_weights=torch.tensor(weights),
        reward_func_names=names, max_completion_length=LIMIT, aux_loss_enabled=False, _entropy_bonus_enabled=False,
        current_gradient_accumulation_steps=1, log_multimodal=False, model_kwarg_keys=set(),
        args=types.SimpleNamespace(
            per_device_train_batch_size=len(answers), steps_per_generation=1, gradient_accumulation_steps=1, gradient_checkpointing_kwargs=None,
            delta=None, use_bias_correction_kl=c.get("use_bias_correction_kl"), report_to=[]),
        state=types.SimpleNamespace(num_input_tokens_seen=0, global_step=0), _metrics={"train": defaultdict(list)}, _logs=defaultdict(lambda: defaultdict(list)),
        _pending_extra_logs={}, _pending_metrics={})
    t._logs["prompt"], t._logs["completion"], t._logs["advantages"] = [], [], []
    if kind is GRPOTrainer:
        t.loss_type, t.scale_rewards, t.importance_sampling_level = c["loss_type"], c["scale_rewards"], c["importance_sampling_level"]
        t.multi_objective_aggregation, t.top_entropy_quantile, t.off_policy_mask_threshold = "sum_then_normalize", 1.0, None
    else:
        t.normalize_advantages, t.reward_clip_range = c["normalize_advantages"], c["reward_clip_range"]
    answer_ids = [a["ids"] for a in answers]
    t._tokenize_prompts = lambda prompts: ([a["prompt"] for a in answers], None, {})
    t._generate_single_turn = lambda *args: (answer_ids, None) if kind is GRPOTrainer else answer_ids
    t._calculate_rewards = lambda *args: torch.tensor(rewards).T
    t._generate = types.MethodType(kind._generate, t)
    t._get_per_token_logps_and_entropies = told or types.MethodType(kind._get_per_token_logps_and_entropies, t)
    return kind, t


def run(kind, t, count):
    inputs = kind._generate_and_score_completions(t, [{"prompt": ""} for _ in range(count)])
    loss = kind._compute_loss(t, t.model, inputs)
    loss.backward()
    return inputs, float(loss.detach()), {k: v[-1] for k, v in t._metrics["train"].items()}


def given(c, answers, rewards, weights, logps):
    """A case with given log-probabilities: when sampled, of the reference, and now."""
    padded = lambda rows: torch.stack([torch.tensor(r + [0.0] * (LIMIT - len(r)), dtype=torch.float64) for r in rows])
    old, ref, now, entropies = (padded(logps[k]) for k in ("old", "reference", "now", "entropy"))
    now.requires_grad_()
    asked = []

    def told(*args, compute_entropy=False, **kw):
        if compute_entropy:
            return now, entropies, None
        asked.append(0)
        first = "algorithm" in c and (c["algorithm"] == "rloo" or c["num_iterations"] > 1)
        return (old if first and len(asked) == 1 else ref), None, None

    names = [f"r{i}" for i in range(len(weights))]
    model = types.SimpleNamespace(training=True, is_gradient_checkpointing=False, peft_config={})
    kind, t = stub(c, answers, rewards, names, weights, told, model)
    use_adapter = __import__("trl.trainer." + c["algorithm"] + "_trainer", fromlist=["x"])
    import contextlib
    use_adapter.use_adapter = lambda *a, **k: contextlib.nullcontext()
    inputs, loss, metrics = run(kind, t, len(answers))
    slopes = [now.grad[i, : len(a["ids"])].tolist() for i, a in enumerate(answers)]
    return c | {"weights": weights, "rewards": rewards, "advantages": inputs["advantages"].tolist(), "loss": loss, "slopes": slopes, "metrics": metrics}


def cases():
    g = torch.Generator().manual_seed(7)
    lengths = [3, 6, 1, 4, 2, 5, 6, 3, 6, 2, 4, 6]
    answers = []
    for i, n in enumerate(lengths):
        cut = n == LIMIT
        ids = torch.randint(3, 40, (n,), generator=g).tolist()
        answers.append({"prompt": [1, 5, 6 + i // 4], "ids": ids if cut else ids[:-1] + [EOS]})
    draw = lambda scale: [(scale * torch.randn(n, generator=g, dtype=torch.float64)).tolist() for n in lengths]
    base = [[-abs(x) - 0.1 for x in row] for row in draw(1.5)]
    add = lambda scale: [[x + y for x, y in zip(r, s)] for r, s in zip(base, draw(scale))]
    logps = {"old": base, "reference": add(0.4), "now": add(0.25), "entropy": [[abs(x) for x in row] for row in draw(1)]}
    uneven = [torch.randn(12, generator=g).tolist(), (torch.rand(12, generator=g) > 0.5).float().tolist()]
    alike = [[1.0] * 4 + [0.0, 1.0, 0.0, 0.0] + [2.0] * 4]
    out = []
    for c in [
        GRPO, GRPO | {"beta": 0.1}, GRPO | {"beta": 0.1, "use_bias_correction_kl": False}, GRPO | {"loss_type": "grpo", "beta": 0.04},
        GRPO | {"loss_type": "bnpo"}, GRPO | {"loss_type": "dr_grpo", "scale_rewards": "none", "beta": 0.1}, GRPO | {"scale_rewards": "batch"},
        GRPO | {"epsilon": 0.1, "epsilon_high": 0.28}, GRPO | {"importance_sampling_level": "sequence", "epsilon": 0.02, "epsilon_high": 0.02},
        GRPO | {"importance_sampling_level": "sequence", "loss_type": "grpo", "beta": 0.1},
        GRPO | {"importance_sampling_level": "sequence", "loss_type": "dr_grpo", "beta": 0.1, "use_bias_correction_kl": False},
        GRPO | {"mask_truncated_completions": True, "beta": 0.1}, GRPO | {"mask_truncated_completions": True, "loss_type": "grpo"},
        GRPO | {"mask_truncated_completions": True, "loss_type": "dr_grpo", "importance_sampling_level": "sequence"}, GRPO | {"num_iterations": 1, "beta": 0.1},
        RLOO, RLOO | {"beta": 0.0}, RLOO | {"normalize_advantages": True}, RLOO | {"reward_clip_range": [-0.5, 0.5]}, RLOO | {"epsilon": 0.5, "epsilon_high": 1.5},
        RLOO | {"mask_truncated_completions": True}, RLOO | {"num_generations": 2, "beta": 0.0},
    ]:
        out.append(given(c, answers, uneven, [1.0, 0.5], logps))
    for c in [GRPO, GRPO | {"scale_rewards": "batch"}, GRPO | {"beta": 0.1}, RLOO | {"beta": 0.0}]:
        out.append(given(c, answers, alike, [1.0], logps))
    return {"eos": EOS, "max_completion_length": LIMIT, "answers": answers, "logps": logps, "cases": out}


GRADIENTS = {
    "grpo-lora": ("lora", GRPO | {"num_iterations": 1, "beta": 0.1}, 0.7),
    "grpo-dora": ("dora", GRPO | {"num_iterations": 1, "loss_type": "grpo", "importance_sampling_level": "sequence", "beta": 0.05}, 1.0),
    "rloo-lora": ("lora", RLOO | {"beta": 0.05}, 1.0),
    "rloo-dora": ("dora", RLOO | {"beta": 0.05, "normalize_advantages": True}, 1.3),
}


def gradients(name, start, c, temperature, tok, out):
    g = torch.Generator().manual_seed(11)
    answers = []
    for text in ("2+2=", "The sky is"):
        for i in range(4):
            n = int(torch.randint(2, LIMIT + 1, (1,), generator=g))
            ids = torch.randint(3, 260, (n,), generator=g).tolist()
            answers.append({"prompt": tok(text)["input_ids"], "text": text, "ids": ids if n == LIMIT else ids[:-1] + [EOS]})
    rewards = [torch.randn(8, generator=g).tolist()]
    config = json.load(open(os.path.join(LLAMA, "model", "config.json")))
    base = make_golden.build("llama3", config, load_file(os.path.join(LLAMA, "model", "model.safetensors")))
    model = PeftModel.from_pretrained(base, os.path.join(LLAMA, start), is_trainable=True)
    model.eval()  # no dropout; `training` is what the methods look at
    model.training = True
    kind, t = stub(c, answers, rewards, ["r0"], [1.0], None, model, temperature)
    inputs, loss, metrics = run(kind, t, len(answers))
    found = {n.replace(".default", ""): p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    save_file(found, os.path.join(out, name + ".safetensors"))
    print(name, loss, len(found))
    return {"name": name, "start": start, "temperature": temperature} | c | {
        "answers": answers, "rewards": rewards, "loss": loss, "advantages": inputs["advantages"].tolist(), "metrics": metrics}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(RESOURCES, "group"))
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    tok = PreTrainedTokenizerFast.from_pretrained(os.path.join(RESOURCES, "golden", "tokenizer"))
    runs = [gradients(n, *c, tok, a.out) for n, c in GRADIENTS.items()]  # before cases(), which puts a stand-in for use_adapter
    json.dump(runs, open(os.path.join(a.out, "gradients.json"), "w"))
    json.dump(cases(), open(os.path.join(a.out, "cases.json"), "w"))


if __name__ == "__main__":
    main()
