"""What the makers of golden/blocks share: recording one adapter on one small module under real PEFT.

Everything is float32, one thread, eval mode, fixed seeds. golden.safetensors of a case holds

    base.<torch name>      every parameter before the adapter was attached
    x                      the input (int64 ids or float32)
    disabled               the base model's output on x
    peft_disabled          PEFT's output under disable_adapter(), only where it is not `disabled`
    y                      the output with the adapter active
    upstream               the gradient with respect to y
    grad.x                 the gradient of sum(y * upstream) with respect to x, where x is float
    grad.<disk key>        and with respect to each trained tensor, by its key in adapter_model.safetensors
    peft_grad.<disk key>   where PEFT ties two adapters by two parameters over one storage: the gradient of each; grad.*
                           has their sum then, under one of the two keys, and training steps by the sum
    merged.<torch name>    every parameter after merge_and_unload(safe_merge=True); absent where PEFT refuses
    peft_merged.<name>, peft_merged_y
                           instead of merged.*, where PEFT's merged model does not compute y: what it has and computes
    target, losses         training: mean((y - target)^2) before each of 3 AdamW steps (lr 1e-2, betas 0.9 and 0.999,
                           eps 1e-8, no decay) and after the last
    step3.<disk key>       each trained tensor after the 3 steps, which start from the saved adapter
    step3_y                the output on x after the 3 steps

The file's metadata key "model" says what the module is: constructors and forward.
"""
import copy, os, shutil, sys, warnings

# PEFT writes target_modules in the order of a set of strings: the same order in every run.
if os.environ.get("PYTHONHASHSEED") != "0":
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from peft import PeftModel, get_peft_model
from peft.utils.save_and_load import get_peft_model_state_dict
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../src/main/resources/golden/blocks")


def directory(*names, fresh=True):
    path = os.path.join(OUT, *names)
    if fresh:
        shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path, exist_ok=True)
    return path


def output(model, x):
    y = model(x)
    return y if isinstance(y, torch.Tensor) else y.logits


def disk_parameters(model, adapter="default"):
    """The trained parameters by their key on disk, found by their storage; tied ones have a key each."""
    parameters = {(p.data_ptr(), p.stride()): p for p in model.parameters() if p.requires_grad}
    state = get_peft_model_state_dict(model, adapter_name=adapter)
    keys = {k: parameters.get((t.data_ptr(), t.stride())) for k, t in state.items()}
    return {k: p for k, p in sorted(keys.items()) if p is not None}


def owners(parameters):
    """One parameter for each storage: PEFT ties by a second parameter that is a view of the first."""
    return list({p.data_ptr(): p for p in parameters}.values())


def sum_tied_gradients(parameters):
    for owner in owners(parameters):
        for p in dict.fromkeys(parameters):
            if p is not owner and p.data_ptr() == owner.data_ptr():
                owner.grad = owner.grad + (p.grad if p.shape == owner.shape else p.grad.t())


def perturb(parameters, scale=0.3):
    for p in owners(parameters):
        p.data.add_(scale * torch.randn(p.shape))


def named(prefix, module):
    return {prefix + n: p.detach().clone() for n, p in module.named_parameters()}


def save_adapter(model, path, adapter="default", **options):
    """Saves one adapter as PEFT does, in `path` itself whatever its name."""
    model.peft_config[adapter].base_model_name_or_path = "golden/blocks"
    model.save_pretrained(path, selected_adapters=[adapter], **options)
    below = os.path.join(path, adapter)
    if adapter != "default":
        for file in os.listdir(below):
            shutil.move(os.path.join(below, file), os.path.join(path, file))
        os.rmdir(below)
    os.remove(os.path.join(path, "README.md"))


def save_golden(tensors, path, description):
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()},
              os.path.join(path, "golden.safetensors"),
              metadata={"model": description})


def distance(a, b):
    return (a - b).abs().max().item()


def gradients(model, trained, x, gold):
    x = x.clone().requires_grad_(x.is_floating_point())
    y = output(model, x)
    gold["x"], gold["y"] = x.detach(), y.detach()
    gold["upstream"] = torch.randn(y.shape)
    model.zero_grad()
    (y * gold["upstream"]).sum().backward()
    if x.grad is not None:
        gold["grad.x"] = x.grad
    tied = len(set(trained.values())) > len(owners(trained.values()))
    gold.update({("peft_grad." if tied else "grad.") + key: p.grad.clone() for key, p in trained.items()})
    if tied:
        sum_tied_gradients(trained.values())
        gold.update({"grad." + k: p.grad for k, p in trained.items() if any(p is o for o in owners(trained.values()))})


def train(model, trained, gold):
    x = gold["x"]
    gold["target"] = torch.randn(gold["y"].shape)
    optimizer = torch.optim.AdamW(owners(trained.values()), lr=1e-2, eps=1e-8, weight_decay=0)
    losses = []
    for _ in range(3):
        model.zero_grad()
        loss = ((output(model, x) - gold["target"]) ** 2).mean()
        losses.append(loss.item())
        loss.backward()
        sum_tied_gradients(trained.values())
        optimizer.step()
    y = output(model, x).detach()
    losses.append(((y - gold["target"]) ** 2).mean().item())
    gold["losses"], gold["step3_y"] = torch.tensor(losses), y
    gold.update({"step3." + k: p.detach() for k, p in trained.items()})


def record(name, build, config, x, seed, description=None, attached=None, saved=None):
    """Records one adapter: the files of PEFT under <name>/adapter, and <name>/golden.safetensors.

    `attached(model, trained, gold, path)` is called before the adapter's tensors are moved away from their initial
    values, `saved(model, trained, gold, path)` after y and the gradients are known.
    """
    torch.manual_seed(seed)
    base = build().eval()
    pristine = copy.deepcopy(base)
    x = x()
    gold = named("base.", base)
    gold["disabled"] = output(base, x).detach()
    path = directory(name)
    model = get_peft_model(base, config).eval()
    trained = disk_parameters(model)
    expected = sum(p.requires_grad for p in model.parameters())
    assert len(set(trained.values())) == expected, (name, list(trained), expected)
    if attached:
        attached(model, trained, gold, path)
    perturb(trained.values())
    save_adapter(model, os.path.join(path, "adapter"))
    gradients(model, trained, x, gold)
    if saved:
        saved(model, trained, gold, path)
    with model.disable_adapter():
        off = output(model, x).detach()
    if distance(off, gold["disabled"]) > 1e-6:
        gold["peft_disabled"] = off
    loaded = PeftModel.from_pretrained(copy.deepcopy(pristine), os.path.join(path, "adapter")).eval()
    loaded_difference = distance(output(loaded, x), gold["y"])
    try:
        source = copy.deepcopy(model)
    except RuntimeError:  # PEFT's tied adapters keep a view that cannot be copied
        source = loaded
    try:
        merged = source.merge_and_unload(safe_merge=True)
        y = output(merged, x).detach()
        report = f"{distance(y, gold['y']):.1e}"
        if distance(y, gold["y"]) < 1e-5:
            gold.update(named("merged.", merged))
        else:
            report += " (WRONG)"
            gold.update(named("peft_merged.", merged), peft_merged_y=y)
    except NotImplementedError as refusal:
        report = f"refused ({refusal})"
    train(model, trained, gold)
    save_golden(gold, path, description or " ".join(pristine.__doc__.split()))
    print(f"{name}: |y - disabled| {distance(gold['y'], gold['disabled']):.2f}, merged - unmerged {report}, "
          f"reloaded - saved {loaded_difference:.1e}, disabled in PEFT - base {distance(off, gold['disabled']):.1e}, "
          f"losses {' '.join(f'{loss:.4f}' for loss in gold['losses'].tolist())}")
    return pristine, gold
