"""Prints ten training losses of PyTorch for each optimiser: the numbers in tests/models/training_test.cpp.

A small network of residual blocks, its weights from pytorch/resnet_basic_small.safetensors. Every step has
images of its own, of which both sides know how to make them."""
import json
import pathlib
import struct

import numpy
import torch
import torchvision

GOLDEN = pathlib.Path(__file__).parent / "pytorch" / "resnet_basic_small.safetensors"
BATCH, SIZE, CLASSES = 8, 32, 5


def weights():
    raw = GOLDEN.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    types = {"F32": numpy.float32, "I64": numpy.int64}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if not name.startswith("weights/"):
            continue
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(raw[8 + length + begin : 8 + length + end], types[entry["dtype"]])
        yield name.removeprefix("weights/"), torch.from_numpy(values.reshape(entry["shape"]).copy())


def network():
    net = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [2, 2, 2, 2], num_classes=CLASSES)
    state = dict(weights())
    widths = [state[f"layer{i}.0.conv1.weight"].shape[0] for i in (1, 2, 3, 4)]
    net.inplanes = widths[0]
    net.conv1 = torch.nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
    net.bn1 = torch.nn.BatchNorm2d(widths[0])
    for i, width in enumerate(widths):
        layer = net._make_layer(torchvision.models.resnet.BasicBlock, width, 2, stride=1 if i == 0 else 2)
        setattr(net, f"layer{i + 1}", layer)
    net.fc = torch.nn.Linear(widths[3], CLASSES)
    net.load_state_dict(state)
    return net.train()


def batch(step):
    i = numpy.arange(BATCH * 3 * SIZE * SIZE, dtype=numpy.float64) + step * 1000
    x = numpy.sin(i * i * 1e-3).astype(numpy.float32).reshape(BATCH, 3, SIZE, SIZE)
    target = [(n * n + step) % CLASSES for n in range(BATCH)]
    return torch.from_numpy(x), torch.tensor(target)


def curve(name, make):
    net = network()
    optimizer = make(net.parameters())
    losses = []
    for step in range(10):
        x, target = batch(step)
        loss = torch.nn.functional.cross_entropy(net(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(name, ", ".join(f"{v:.6f}" for v in losses))


curve("adam", lambda p: torch.optim.Adam(p, lr=1e-3))
curve("adamw", lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.05))
curve("sgd", lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9, weight_decay=1e-4))
