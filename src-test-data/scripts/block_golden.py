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
    merged.<torch name>    every parameter after merge_and_unload(safe_merge=True); absent where PEFT refuses
    target, losses         training: mean((y - target)^2) before each of 3 AdamW steps (lr 1e-2, betas 0.9 and 0.999,
                           eps 1e-8, no decay) and after the last
    step3.<disk key>       each trained tensor after the 3 steps, which start from the saved adapter
    step3_y                the output on x after the 3 steps

The file's metadata says what the module is: "model" (constructors and forward) and "peft" (the version).
"""
import copy, os, shutil, sys, warnings

# PEFT writes target_modules in the order of a set of strings: the same order in every run.
if os.environ.get("PYTHONHASHSEED") != "0":
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
os.environ["HF_HUB_OFFLINE"] = "1"

import peft
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
    """The trained parameters by their key on disk, found by their storage."""
    parameters = {p.data_ptr(): p for p in model.parameters() if p.requires_grad}
    state = get_peft_model_state_dict(model, adapter_name=adapter)
    return {k: parameters[t.data_ptr()] for k, t in state.items() if t.data_ptr() in parameters}


def perturb(parameters, scale=0.3):
    for p in parameters:
        p.data = p.data + scale * torch.randn(p.shape)


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


def save_golden(tensors, path, model):
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()},
              os.path.join(path, "golden.safetensors"),
              metadata={"model": " ".join(model.__doc__.split()), "peft": peft.__version__})


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
    for key, p in trained.items():
        gold["grad." + key] = p.grad.clone()


def train(model, trained, gold):
    x = gold["x"]
    gold["target"] = torch.randn(gold["y"].shape)
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2, eps=1e-8, weight_decay=0)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = ((output(model, x) - gold["target"]) ** 2).mean()
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    y = output(model, x).detach()
    losses.append(((y - gold["target"]) ** 2).mean().item())
    gold["losses"], gold["step3_y"] = torch.tensor(losses), y
    gold.update({"step3." + k: p.detach() for k, p in trained.items()})


def record(name, build, config, x, seed, description=None):
    """Records one adapter: the files of PEFT under <name>/adapter, and <name>/golden.safetensors."""
    torch.manual_seed(seed)
    base = build().eval()
    pristine = copy.deepcopy(base)
    x = x()
    gold = named("base.", base)
    gold["disabled"] = output(base, x).detach()
    model = get_peft_model(base, config).eval()
    trained = disk_parameters(model)
    expected = sum(p.requires_grad for p in model.parameters())
    assert len(trained) == expected, (name, len(trained), expected)
    perturb(trained.values())
    path = directory(name)
    save_adapter(model, os.path.join(path, "adapter"))
    gradients(model, trained, x, gold)
    with model.disable_adapter():
        off = output(model, x).detach()
    if not torch.equal(off, gold["disabled"]):
        gold["peft_disabled"] = off
    try:
        merged = copy.deepcopy(model).merge_and_unload(safe_merge=True)
        gold.update(named("merged.", merged))
        merged_difference = f"{distance(output(merged, x), gold['y']):.1e}"
    except NotImplementedError as refusal:
        merged_difference = f"refused ({refusal})"
    loaded = PeftModel.from_pretrained(pristine, os.path.join(path, "adapter")).eval()
    loaded_difference = distance(output(loaded, x), gold["y"])
    train(model, trained, gold)
    save_golden(gold, path, description or base)
    print(f"{name}: |y - disabled| {distance(gold['y'], gold['disabled']):.2f}, merged - unmerged {merged_difference}, "
          f"reloaded - saved {loaded_difference:.1e}, "
          f"disabled in PEFT - base {distance(off, gold['disabled']):.1e}, losses {gold['losses'].tolist()}")
    return gold
