#!/usr/bin/env python
"""What PPO's formulas make of numbers, and two whole PPO steps of a tiny LLaMA.

    python make_ppo_cases.py [--out DIR]

TRL's PPO left TRL before 1.13; the formulas are those of its last version (1.10, trl.experimental.ppo), written down
anew on padded tensors and masks, in float64. The score is the reward of the last token, and no value is behind it.

Writes cases.json (settings, what models say of some answers before and after, and what the formulas make of it, the
slopes by autograd) and runs.json with NAME.safetensors and NAME-value.safetensors per run: policy and value adapter
after one step of two epochs of two mini-batches. Both began as golden/llama3/lora and as the adapter in value/.
"""
import argparse, json, os, types, warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")
import make_golden  # also fixes the threads and the hash seed
import torch, transformers
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import LlamaForSequenceClassification

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))
RESOURCES = os.path.join(HERE, "..", "src", "main", "resources")
LLAMA = os.path.join(RESOURCES, "golden", "llama3")

PLAIN = {"kl_coef": 0.05, "kl_estimator": "k1", "kl_in_loss": False, "cliprange": 0.2, "vf_coef": 0.1, "cliprange_value": 0.2,
         "gamma": 1.0, "lam": 0.95, "whiten_rewards": False}


def masked_mean(x, mask):
    return (x * mask).sum() / mask.sum()


def masked_whiten(x, mask, shift_mean=True):
    n = mask.sum()
    mean = masked_mean(x, mask)
    var = masked_mean((x - mean) ** 2, mask) * n / (n - 1)
    white = (x - mean) * torch.rsqrt(var + 1e-8)
    return white if shift_mean else white + mean


def divergence(c, logp, ref):
    log_ratio = ref - logp
    return -log_ratio if c.kl_estimator == "k1" else log_ratio.exp() - 1 - log_ratio


def experience(c, logp, ref, values, scores, ended, mask):
    """Rewards, whitened advantages, returns, each (B, T), and TRL's objective/ metrics."""
    kl = divergence(c, logp, ref) * mask
    non_score = torch.zeros_like(kl) if c.kl_in_loss else -c.kl_coef * kl
    rewards = non_score.clone()
    rewards[torch.arange(len(mask)), mask.sum(1).long() - 1] += scores
    if c.whiten_rewards:
        rewards = masked_whiten(rewards, mask, shift_mean=False) * mask
    values = values * mask
    last, steps = torch.zeros(len(mask), dtype=values.dtype), []
    for t in reversed(range(mask.shape[1])):
        following = values[:, t + 1] if t + 1 < mask.shape[1] else 0.0
        last = rewards[:, t] + c.gamma * following - values[:, t] + c.gamma * c.lam * last
        steps.append(last)
    advantages = torch.stack(steps[::-1], 1)
    returns = advantages + values
    advantages = masked_whiten(advantages, mask) * mask
    metrics = {
        "objective/kl": kl.sum(1).mean(), "objective/entropy": (-logp * mask).sum(1).mean(),
        "objective/non_score_reward": non_score.sum(1).mean(), "objective/rlhf_reward": non_score.sum(1).mean() + scores.mean(),
        "objective/scores": scores.mean(), "val/num_eos_tokens": ended.sum()}
    return rewards, advantages, returns, metrics


def loss(c, logp, v, old, ref, old_v, advantages, returns, mask):
    """The loss of a mini-batch, and what TRL logs of it."""
    v_near = torch.clamp(v, old_v - c.cliprange_value, old_v + c.cliprange_value)
    vf1, vf2 = (v - returns) ** 2, (v_near - returns) ** 2
    vf = 0.5 * masked_mean(torch.max(vf1, vf2), mask)
    diff = logp - old
    ratio = diff.exp()
    pg1, pg2 = -advantages * ratio, -advantages * torch.clamp(ratio, 1 - c.cliprange, 1 + c.cliprange)
    pg = masked_mean(torch.max(pg1, pg2), mask)
    total = pg + c.vf_coef * vf
    kl = None
    if c.kl_in_loss:
        kl = masked_mean(divergence(c, logp, ref), mask)
        total = total + c.kl_coef * kl
    with torch.no_grad():
        stats = {"loss/policy_avg": pg, "loss/value_avg": vf, "val/clipfrac_avg": masked_mean((vf2 > vf1).to(v.dtype), mask),
                 "policy/clipfrac_avg": masked_mean((pg2 > pg1).to(v.dtype), mask), "policy/approxkl_avg": 0.5 * masked_mean(diff ** 2, mask),
                 "val/ratio": masked_mean(ratio, mask)}
        if kl is not None:
            stats["loss/kl_avg"] = kl
    return total, {k: float(x) for k, x in stats.items()}


def ragged(x, mask):
    return [row[m.bool()].tolist() for row, m in zip(x, mask)]


def case(name, g, change, spread, **settings):
    c = types.SimpleNamespace(**(PLAIN | settings))
    lengths = [5, 1, 7, 3]
    mask = torch.tensor([[float(t < n) for t in range(max(lengths))] for n in lengths], dtype=torch.float64)
    draw = lambda scale=1.0: scale * torch.randn(mask.shape, generator=g, dtype=torch.float64) * mask
    old = -draw().abs() - 0.1 * mask
    ref, values = old + draw(spread), draw()
    scores = torch.randn(len(lengths), generator=g, dtype=torch.float64)
    ended = torch.tensor([True, False, True, False])
    rewards, advantages, returns, metrics = experience(c, old, ref, values, scores, ended, mask)
    logp = (old + draw(change)).requires_grad_()
    v = (values + draw(change)).requires_grad_()
    total, stats = loss(c, logp, v, old, ref, values, advantages, returns, mask)
    total.backward()
    return {"name": name, "settings": vars(c), "logps": ragged(old, mask), "ref": ragged(ref, mask), "values": ragged(values, mask),
            "scores": scores.tolist(), "ended": ended.tolist(), "rewards": ragged(rewards, mask), "advantages": ragged(advantages, mask),
            "returns": ragged(returns, mask), "new_logps": ragged(logp.detach(), mask), "new_values": ragged(v.detach(), mask),
            "loss": float(total), "by_logp": ragged(logp.grad, mask), "by_value": ragged(v.grad, mask),
            "metrics": {k: float(x) for k, x in metrics.items()} | stats}


def cases():
    g = torch.Generator().manual_seed(11)
    return [
        case("k1", g, 0.3, 0.5),
        case("k1_unmoved", g, 0.0, 0.5),
        case("k1_far", g, 2.0, 3.0, cliprange=0.1, cliprange_value=0.5),
        case("k3", g, 0.3, 0.5, kl_estimator="k3", kl_coef=0.3),
        case("k3_in_loss", g, 0.3, 0.5, kl_estimator="k3", kl_in_loss=True, kl_coef=0.3),
        case("discounted", g, 0.3, 0.5, gamma=0.9, lam=0.5, vf_coef=0.7),
        case("no_lambda", g, 0.3, 0.5, lam=0.0),
        case("whitened_rewards", g, 0.3, 0.5, whiten_rewards=True),
        case("whitened_rewards_k3", g, 0.3, 0.5, whiten_rewards=True, kl_estimator="k3"),
        case("no_kl", g, 0.3, 0.5, kl_coef=0.0),
    ]


STEP = PLAIN | {"num_ppo_epochs": 2, "num_mini_batches": 2, "learning_rate": 2e-3, "max_grad_norm": 0.0, "temperature": 1.0}
RUNS = {
    "k1": {},
    "k3-in-loss": {"kl_estimator": "k3", "kl_in_loss": True, "kl_coef": 0.2, "max_grad_norm": 0.5, "lam": 0.8, "gamma": 0.95},
    "whitened": {"whiten_rewards": True, "vf_coef": 0.5, "temperature": 0.7},
}


def rows():
    g = torch.Generator().manual_seed(17)
    draw = lambda n: torch.randint(4, 264, (n,), generator=g).tolist()
    answers = [(3, 6), (5, 2), (2, 9), (4, 1), (6, 5)]  # the last mini-batch has fewer rows
    return [{"prompt_ids": draw(p), "answer_ids": draw(a - 1) + [2] if a % 2 else draw(a), "ended": bool(a % 2), "score": round(float(torch.randn(1, generator=g)), 3)}
            for p, a in answers]


def value_model(out):
    config = json.load(open(os.path.join(LLAMA, "model", "config.json")))
    base = make_golden.build("llama3", config, load_file(os.path.join(LLAMA, "model", "model.safetensors")))
    base.config.num_labels, base.config.pad_token_id = 1, 0
    model = LlamaForSequenceClassification(base.config)
    model.model.load_state_dict(base.model.state_dict())
    torch.manual_seed(23)
    torch.nn.init.normal_(model.score.weight, std=0.2)
    model = get_peft_model(model.float(), LoraConfig(r=4, lora_alpha=8, task_type="SEQ_CLS", target_modules=["q_proj", "v_proj", "down_proj"]))
    for name, p in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.05)
    model.peft_config["default"].base_model_name_or_path = "golden/llama3"
    if out:
        model.save_pretrained(os.path.join(out, "value"))
        os.remove(os.path.join(out, "value", "README.md"))
    return model


def policy_model():
    config = json.load(open(os.path.join(LLAMA, "model", "config.json")))
    base = make_golden.build("llama3", config, load_file(os.path.join(LLAMA, "model", "model.safetensors")))
    return PeftModel.from_pretrained(base, os.path.join(LLAMA, "lora"), is_trainable=True)


def said(policy, value, some, width, temperature):
    """log p, V and entropy (B, T) of answers, each token seen from the one before."""
    logps, values, entropies = [], [], []
    pad = lambda x: torch.nn.functional.pad(x, (0, width - len(x)))
    for row in some:
        ids, n = torch.tensor([row["prompt_ids"] + row["answer_ids"]]), len(row["answer_ids"])
        at = slice(len(row["prompt_ids"]) - 1, -1)
        all_logps = (policy(input_ids=ids).logits[0, at] / temperature).log_softmax(-1)
        logps.append(pad(all_logps.gather(-1, ids[0, -n:, None])[:, 0]))
        entropies.append(pad(-(all_logps.exp() * all_logps).sum(-1)))
        hidden = value.get_base_model().model(input_ids=ids).last_hidden_state
        values.append(pad(value.get_base_model().score(hidden)[0, at, 0]))
    return torch.stack(logps), torch.stack(values), torch.stack(entropies)


def run(name, settings, out):
    c = types.SimpleNamespace(**(STEP | settings))
    data = rows()
    width = max(len(r["answer_ids"]) for r in data)
    mask = torch.tensor([[float(t < len(r["answer_ids"])) for t in range(width)] for r in data])
    policy, value = policy_model(), value_model(None)
    trained = [p for m in (policy, value) for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=c.learning_rate, weight_decay=0.0)
    with torch.no_grad():
        old, old_v, _ = said(policy, value, data, width, c.temperature)
    ref = old  # the reference is what the policy is at first
    scores, ended = torch.tensor([r["score"] for r in data]), torch.tensor([r["ended"] for r in data])
    _, advantages, returns, metrics = experience(c, old, ref, old_v, scores, ended, mask)
    stats, norms = [], []
    cut = [i * len(data) // c.num_mini_batches for i in range(c.num_mini_batches + 1)]
    for _ in range(c.num_ppo_epochs):
        for a, b in zip(cut, cut[1:]):
            logp, v, entropy = said(policy, value, data[a:b], width, c.temperature)
            total, s = loss(c, logp, v, old[a:b], ref[a:b], old_v[a:b], advantages[a:b], returns[a:b], mask[a:b])
            optimizer.zero_grad()
            total.backward()
            norms.append(float(torch.nn.utils.clip_grad_norm_(trained, c.max_grad_norm or 1e9)))
            optimizer.step()
            stats.append(s | {"loss": float(total), "policy/entropy_avg": float(masked_mean(entropy.detach(), mask[a:b]))})
    log = {k: float(x) for k, x in metrics.items()} | {k: sum(s[k] for s in stats) / len(stats) for k in stats[0]}
    log["val/ratio_var"] = float(torch.tensor([s["val/ratio"] for s in stats]).double().var())
    log["grad_norm"] = sum(norms) / len(norms)
    for model, suffix in ((policy, ""), (value, "-value")):
        save_file({k: v.detach().clone() for k, v in get_peft_model_state_dict(model).items()}, os.path.join(out, f"{name}{suffix}.safetensors"))
    print(name, {k: round(v, 5) for k, v in log.items()})
    return {"name": name, "settings": vars(c), "log": log}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default=os.path.join(RESOURCES, "ppo"))
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    lines = lambda name, values: open(os.path.join(a.out, name), "w").write("[\n" + ",\n".join(map(json.dumps, values)) + "\n]\n")
    lines("cases.json", cases())
    lines("rows.json", rows())
    value_model(a.out)
    lines("runs.json", [run(n, s, a.out) for n, s in RUNS.items()])


if __name__ == "__main__":
    main()
