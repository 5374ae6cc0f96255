"""Writes fine_tune.txt: fastai's fine_tune of a small residual network, every step of it, computed with PyTorch.

    make_fine_tune.py        run in this folder, with Debian's python3 (torch 1.13)

fastai itself is not used: this is its Learner.fine_tune, fit_one_cycle and Adam (2.7) in plain PyTorch, so that the
test compares two readings of the same source. The network and its weights are those of resnet_basic_small.safetensors;
batch b of an epoch is its input rolled by 5 b columns, with its targets rolled by b.
"""
import json
import math
import pathlib
import struct

import torch
import torch.nn as nn
from torchvision.models.resnet import BasicBlock

HERE = pathlib.Path(__file__).parent
BATCHES, EPOCHS, BASE_LR = 4, 2, 2e-3


def read(path):
    raw = path.read_bytes()
    size, = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + size])
    types = {"F32": torch.float32, "I64": torch.int64}
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            flat = torch.frombuffer(bytearray(raw[8 + size + begin:8 + size + end]), dtype=types[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors


class Net(nn.Module):
    def __init__(self, widths=(8, 12, 16, 20), depth=2, classes=5):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        previous = widths[0]
        for i, width in enumerate(widths):
            blocks = []
            for j in range(depth):
                stride = 2 if i > 0 and j == 0 else 1
                down = None
                if stride != 1 or previous != width:
                    down = nn.Sequential(nn.Conv2d(previous, width, 1, stride, bias=False), nn.BatchNorm2d(width))
                blocks.append(BasicBlock(previous, width, stride, down))
                previous = width
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(previous, classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for i in range(4):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.fc(x.mean((2, 3)))


def cosine(a, b, position):
    return a + (1 + math.cos(math.pi * (1 - position))) * (b - a) / 2


def one_cycle(position, peak, share, div):
    """fastai's combined_cos for the learning rate and the momentum."""
    if position < share:
        part = position / share
        return cosine(peak / div, peak, part), cosine(0.95, 0.85, part)
    part = (position - share) / (1 - share)
    return cosine(peak, peak / 1e5, part), cosine(0.85, 0.95, part)


class Adam:
    """fastai.optimizer.Adam(sqr_mom=.99, eps=1e-5, wd=.01, decouple_wd=True); no decay of norms and biases."""

    def __init__(self, groups, undecayed):
        self.groups, self.undecayed, self.state = groups, undecayed, {}

    def step(self, rates, mom):
        for group, lr in zip(self.groups, rates):
            for p in group:
                if p.grad is None:
                    continue
                if id(p) not in self.undecayed:
                    p.data.mul_(1 - lr * 0.01)
                s = self.state.setdefault(id(p), {"avg": torch.zeros_like(p), "sqr": torch.zeros_like(p), "step": 0})
                s["avg"].mul_(mom).add_(p.grad, alpha=1 - mom)
                s["sqr"].mul_(0.99).addcmul_(p.grad, p.grad, value=1 - 0.99)
                s["step"] += 1
                debias1, debias2 = 1 - mom ** s["step"], 1 - 0.99 ** s["step"]
                p.data.addcdiv_(s["avg"], (s["sqr"] / debias2).sqrt() + 1e-5, value=-lr / debias1)


def main():
    golden = read(HERE / "resnet_basic_small.safetensors")
    net = Net()
    net.load_state_dict({k[8:]: v for k, v in golden.items() if k.startswith("weights/")})
    x, y = golden["input"], golden["target"]
    groups = [[], [], []]
    norms = set()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            norms |= {id(p) for p in module.parameters()}
    undecayed = set(norms)
    for name, p in net.named_parameters():
        head, middle = name.startswith("fc."), name.startswith(("layer3.", "layer4."))
        groups[2 if head else 1 if middle else 0].append(p)
        if name.endswith("bias"):
            undecayed.add(id(p))

    lines = []

    def fit(epochs, rates, share, div):
        adam = Adam(groups, undecayed)  # freeze and unfreeze clear its state
        net.train()
        for epoch in range(epochs):
            for b in range(BATCHES):
                schedule = [one_cycle((epoch + b / BATCHES) / epochs, r, share, div) for r in rates]
                loss = nn.functional.cross_entropy(net(x.roll(5 * b, 3)), y.roll(b, 0))
                for p in net.parameters():
                    p.grad = None
                loss.backward()
                adam.step([lr for lr, _ in schedule], schedule[0][1])
                lines.append(" ".join(f"{v:.9g}" for v in [*(lr for lr, _ in schedule), schedule[0][1], loss.item()]))

    for p in groups[0] + groups[1]:
        p.requires_grad_(id(p) in norms)
    fit(1, [BASE_LR / 10, BASE_LR / 10, BASE_LR], 0.99, 25)
    for p in net.parameters():
        p.requires_grad_(True)
    lr = BASE_LR / 2
    fit(EPOCHS, [lr / 100, lr / 10, lr], 0.3, 5)
    net.eval()
    with torch.no_grad():
        logits = net(x).flatten()
    lines.append(" ".join(f"{v:.9g}" for v in logits.tolist()))
    (HERE / "fine_tune.txt").write_text("# by make_fine_tune.py: each step's three learning rates, momentum and loss; "
                                        "then the logits of the input, in evaluation\n" + "\n".join(lines) + "\n")


main()
