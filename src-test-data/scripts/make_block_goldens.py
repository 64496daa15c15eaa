#!/usr/bin/env python
"""Goldens of one adapter on small modules of every kind under real PEFT.

    python make_block_goldens.py

Writes ../src/main/resources/golden/blocks/<case>/; block_golden.py says what the files hold.
"""
from block_golden import record

import torch
from peft import LoraConfig
from torch import nn
from transformers.pytorch_utils import Conv1D


class TokenNet(nn.Module):
    """embed = Embedding(11, 6); fc = Linear(6, 4); y = fc(embed(ids)), ids int64 (2, 5)"""

    def __init__(self):
        super().__init__()
        self.embed, self.fc = nn.Embedding(11, 6), nn.Linear(6, 4)

    def forward(self, ids):
        return self.fc(self.embed(ids))


class TokenNetOfThePeftName(nn.Module):
    """embed_tokens = Embedding(11, 6); fc = Linear(6, 4); y = fc(embed_tokens(ids)), ids int64 (2, 5)"""

    def __init__(self):
        super().__init__()
        self.embed_tokens, self.fc = nn.Embedding(11, 6), nn.Linear(6, 4)

    def forward(self, ids):
        return self.fc(self.embed_tokens(ids))


class TwoEmbeddings(nn.Module):
    """embed = Embedding(11, 6); kinds = Embedding(5, 6); fc = Linear(6, 4);
    y = fc(embed(ids) + kinds(ids % 5)), ids int64 (2, 5)"""

    def __init__(self):
        super().__init__()
        self.embed, self.kinds, self.fc = nn.Embedding(11, 6), nn.Embedding(5, 6), nn.Linear(6, 4)

    def forward(self, ids):
        return self.fc(self.embed(ids) + self.kinds(ids % 5))


class OneConv1d(nn.Module):
    """conv1 = Conv1d(3, 4, kernel_size=3, stride=2, padding=1, bias); y = conv1(x), x (2, 3, 9)"""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(3, 4, 3, stride=2, padding=1)

    def forward(self, x):
        return self.conv1(x)


class OneConv2d(nn.Module):
    """conv1 = Conv2d(3, 4, kernel_size=(3, 2), stride=2, padding=1, bias); y = conv1(x), x (2, 3, 6, 5)"""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, (3, 2), stride=2, padding=1)

    def forward(self, x):
        return self.conv1(x)


class PointConv2d(nn.Module):
    """conv1 = Conv2d(3, 4, kernel_size=1, no bias); y = conv1(x), x (2, 3, 3, 3)"""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 1, bias=False)

    def forward(self, x):
        return self.conv1(x)


class GroupedConv2d(nn.Module):
    """conv1 = Conv2d(4, 6, kernel_size=3, padding=1, groups=2, bias); y = conv1(x), x (2, 4, 4, 4)"""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 6, 3, padding=1, groups=2)

    def forward(self, x):
        return self.conv1(x)


class OneConv3d(nn.Module):
    """conv1 = Conv3d(2, 3, kernel_size=(2, 3, 2), stride=1, padding=1, bias); y = conv1(x), x (1, 2, 3, 3, 4)"""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv3d(2, 3, (2, 3, 2), padding=1)

    def forward(self, x):
        return self.conv1(x)


class SmallCnn(nn.Module):
    """conv1 = Conv2d(2, 4, kernel_size=3, stride=2, padding=1, bias); fc = Linear(36, 3);
    y = fc(flatten(relu(conv1(x)))), x (2, 2, 6, 6), flattened to (2, 36) in row-major order of (4, 3, 3)"""

    def __init__(self):
        super().__init__()
        self.conv1, self.fc = nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.Linear(36, 3)

    def forward(self, x):
        return self.fc(torch.flatten(torch.relu(self.conv1(x)), 1))


class Mlp(nn.Module):
    """fc1 = Linear(5, 6); fc2 = Linear(6, 6); fc3 = Linear(6, 4), all with bias;
    y = fc3(tanh(fc2(tanh(fc1(x))))), x (3, 5)"""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x):
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))


class TransposedMlp(nn.Module):
    """fc1 = transformers Conv1D(nf=6, nx=5), fc2 = Conv1D(nf=4, nx=6): weights stored (in, out), with bias;
    y = fc2(tanh(fc1(x))), x (3, 5)"""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = Conv1D(6, 5), Conv1D(4, 6)
        for p in self.parameters():
            p.data = 0.4 * torch.randn(p.shape)

    def forward(self, x):
        return self.fc2(torch.tanh(self.fc1(x)))


class TextClassifier(nn.Module):
    """embed = Embedding(13, 6); fc = Linear(6, 6); classifier = Linear(6, 3), both with bias;
    y = classifier(tanh(fc(mean over positions of embed(ids)))), ids int64 (3, 5)"""

    def __init__(self):
        super().__init__()
        self.embed, self.fc, self.classifier = nn.Embedding(13, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, ids):
        return self.classifier(torch.tanh(self.fc(self.embed(ids).mean(1))))


class NormedTextClassifier(nn.Module):
    """embed = Embedding(13, 6); norm = LayerNorm(6, eps 1e-5); fc = Linear(6, 6); classifier = Linear(6, 3), with bias;
    y = classifier(tanh(fc(norm(mean over positions of embed(ids))))), ids int64 (3, 5)"""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Embedding(13, 6), nn.LayerNorm(6)
        self.fc, self.classifier = nn.Linear(6, 6), nn.Linear(6, 3)
        self.norm.weight.data = 1 + 0.2 * torch.randn(6)
        self.norm.bias.data = 0.2 * torch.randn(6)

    def forward(self, ids):
        return self.classifier(torch.tanh(self.fc(self.norm(self.embed(ids).mean(1)))))


def ids(vocabulary, *shape):
    return lambda: torch.randint(0, vocabulary, shape)


def floats(*shape):
    return lambda: torch.randn(shape)


TOKENS, TEXTS = ids(11, 2, 5), ids(13, 3, 5)
BOTH, ENDS = ["embed", "fc"], ["fc1", "fc3"]
CASES = [
    ("embedding_lora", TokenNet, TOKENS, dict(r=3, lora_alpha=5, target_modules=["embed"])),
    ("embedding_dora", TokenNet, TOKENS, dict(r=3, lora_alpha=5, target_modules=["embed"], use_dora=True)),
    ("embedding_rslora", TokenNet, TOKENS, dict(r=4, lora_alpha=6, target_modules=["embed"], use_rslora=True)),
    ("embedding_linear_lora", TokenNet, TOKENS, dict(r=2, lora_alpha=5, target_modules=BOTH)),
    ("embedding_linear_dora", TokenNet, TOKENS, dict(r=2, lora_alpha=5, target_modules=BOTH, use_dora=True)),
    ("embedding_linear_rslora", TokenNet, TOKENS, dict(r=4, lora_alpha=3, target_modules=BOTH, use_rslora=True)),
    ("embedding_linear_dora_rslora", TokenNet, TOKENS,
     dict(r=4, lora_alpha=3, target_modules=BOTH, use_dora=True, use_rslora=True)),
    ("conv1d_lora", OneConv1d, floats(2, 3, 9), dict(r=2, lora_alpha=3, target_modules=["conv1"])),
    ("conv1d_dora", OneConv1d, floats(2, 3, 9), dict(r=2, lora_alpha=3, target_modules=["conv1"], use_dora=True)),
    ("conv2d_lora", OneConv2d, floats(2, 3, 6, 5), dict(r=3, lora_alpha=4, target_modules=["conv1"])),
    ("conv2d_dora", OneConv2d, floats(2, 3, 6, 5), dict(r=3, lora_alpha=4, target_modules=["conv1"], use_dora=True)),
    ("conv2d_rslora", OneConv2d, floats(2, 3, 6, 5),
     dict(r=4, lora_alpha=4, target_modules=["conv1"], use_rslora=True)),
    ("conv2d_point_lora", PointConv2d, floats(2, 3, 3, 3), dict(r=2, lora_alpha=3, target_modules=["conv1"])),
    ("conv2d_point_dora", PointConv2d, floats(2, 3, 3, 3),
     dict(r=2, lora_alpha=3, target_modules=["conv1"], use_dora=True)),
    ("conv2d_groups_lora", GroupedConv2d, floats(2, 4, 4, 4), dict(r=2, lora_alpha=3, target_modules=["conv1"])),
    ("conv3d_lora", OneConv3d, floats(1, 2, 3, 3, 4), dict(r=2, lora_alpha=5, target_modules=["conv1"])),
    ("conv3d_dora", OneConv3d, floats(1, 2, 3, 3, 4), dict(r=2, lora_alpha=5, target_modules=["conv1"], use_dora=True)),
    ("cnn_lora", SmallCnn, floats(2, 2, 6, 6), dict(r=2, lora_alpha=3, target_modules=["conv1", "fc"])),
    ("cnn_dora", SmallCnn, floats(2, 2, 6, 6), dict(r=2, lora_alpha=3, target_modules=["conv1", "fc"], use_dora=True)),
    ("save_classifier_lora", TextClassifier, TEXTS,
     dict(r=2, lora_alpha=4, target_modules=["fc"], modules_to_save=["classifier"])),
    ("save_classifier_dora", TextClassifier, TEXTS,
     dict(r=2, lora_alpha=4, target_modules=["fc"], modules_to_save=["classifier"], use_dora=True)),
    ("save_classifier_norm_lora", NormedTextClassifier, TEXTS,
     dict(r=2, lora_alpha=4, target_modules=["fc"], modules_to_save=["classifier", "norm"])),
    ("save_embedding_lora", TextClassifier, TEXTS,
     dict(r=2, lora_alpha=4, target_modules=["fc"], modules_to_save=["embed"])),
    ("bias_all_lora", Mlp, floats(3, 5), dict(r=2, lora_alpha=4, target_modules=ENDS, bias="all")),
    ("bias_all_dora", Mlp, floats(3, 5), dict(r=2, lora_alpha=4, target_modules=ENDS, bias="all", use_dora=True)),
    ("bias_lora_only_lora", Mlp, floats(3, 5), dict(r=2, lora_alpha=4, target_modules=ENDS, bias="lora_only")),
    ("bias_lora_only_dora", Mlp, floats(3, 5),
     dict(r=2, lora_alpha=4, target_modules=ENDS, bias="lora_only", use_dora=True)),
    ("tokens_list_lora", TokenNetOfThePeftName, TOKENS,
     dict(r=2, lora_alpha=4, target_modules=["fc"], trainable_token_indices=[1, 4, 9])),
    ("tokens_dict_lora", TokenNet, TOKENS,
     dict(r=2, lora_alpha=4, target_modules=["fc"], trainable_token_indices={"embed": [7, 0, 3]})),
    ("tokens_dict_dora", TokenNet, TOKENS,
     dict(r=2, lora_alpha=4, target_modules=["fc"], trainable_token_indices={"embed": [7, 0, 3]}, use_dora=True)),
    ("tokens_two_embeddings_lora", TwoEmbeddings, TOKENS,
     dict(r=2, lora_alpha=4, target_modules=["fc"], trainable_token_indices={"embed": [2, 5], "kinds": [0, 3, 4]})),
    ("fan_in_fan_out_lora", TransposedMlp, floats(3, 5),
     dict(r=2, lora_alpha=3, target_modules=["fc1", "fc2"], fan_in_fan_out=True)),
    ("fan_in_fan_out_dora", TransposedMlp, floats(3, 5),
     dict(r=2, lora_alpha=3, target_modules=["fc1", "fc2"], fan_in_fan_out=True, use_dora=True)),
    ("lora_bias", Mlp, floats(3, 5), dict(r=2, lora_alpha=3, target_modules=ENDS, lora_bias=True)),
    ("lora_bias_conv", SmallCnn, floats(2, 2, 6, 6),
     dict(r=2, lora_alpha=3, target_modules=["conv1", "fc"], lora_bias=True)),
    ("lora_bias_rslora", Mlp, floats(3, 5),
     dict(r=4, lora_alpha=3, target_modules=ENDS, lora_bias=True, use_rslora=True)),
]

if __name__ == "__main__":
    for number, (case, build, x, settings) in enumerate(CASES):
        record(case, build, LoraConfig(**settings), x, 3000 + number)
