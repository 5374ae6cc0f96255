#!/usr/bin/env python3
"""Writes the small torch files of this folder and expected.json, with PyTorch 1.13.

    /usr/bin/python3 make_torch_files.py

expected.json lists for each file its entries in order: group, name, dtype, shape and the values as
Python floats or integers in row-major order.
"""
import argparse
import collections
import json
import os

import torch
from torch import nn

FOLDER = os.path.dirname(os.path.abspath(__file__))
EXPECTED = {}
DTYPES = {
    torch.float64: "f64", torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
    torch.int64: "i64", torch.int32: "i32", torch.int16: "i16", torch.int8: "i8",
    torch.uint8: "u8", torch.bool: "bool",
}


def numbers(shape, dtype=torch.float32):
    """Values that half, bfloat16 and the integers hold too, none of them symmetric."""
    count = 1
    for extent in shape:
        count *= extent
    values = (torch.arange(count) * 7 + 3) % 64
    return (values - 20).to(dtype).reshape(shape) if dtype != torch.uint8 and dtype != torch.bool \
        else (values % 2 if dtype == torch.bool else values).to(dtype).reshape(shape)


def expect(entries):
    return [{"group": group, "name": name, "dtype": DTYPES[t.dtype], "shape": list(t.shape),
             "values": t.detach().to(torch.float64).flatten().tolist()}
            for group, name, t in entries]


def save(name, value, entries, **how):
    torch.save(value, os.path.join(FOLDER, name), **how)
    EXPECTED[name] = expect(entries)


def dtypes():
    value = collections.OrderedDict()
    for dtype, name in DTYPES.items():
        value[name] = numbers((2, 3), dtype)
    value["scalar"] = torch.tensor(2.5)
    value["empty"] = torch.zeros(0, 3)
    value["extremes"] = torch.tensor([2.0 ** -149, 1e38, -0.0, 2.0 ** -126])
    return value


def views():
    base = numbers((4, 6))
    return {
        "base": base,
        "transposed": base.t(),
        "row": base[2],
        "column": base[:, 1],
        "window": base[1:3, 2:5],
        "every_other": base[::2, ::3],
        "expanded": base[0, :1].expand(5),
        "channels_last": numbers((2, 3, 2, 2)).contiguous(memory_format=torch.channels_last),
        "parameter": nn.Parameter(base[1]),
    }


class Tied(nn.Module):
    """Shared parameters, persistent and other buffers, a parameter that is None, nested modules."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 2)
        self.second = nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4))
        self.tied = self.first
        self.register_buffer("kept", numbers((3,)))
        self.register_buffer("dropped", numbers((2,)), persistent=False)
        self.register_parameter("absent", None)


def flat(value, group=""):
    return [(group, key, tensor) for key, tensor in value.items()]


def checkpoint():
    model = nn.DataParallel(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
    optimizer = torch.optim.Adam(model.parameters())
    model(numbers((4, 2))).square().mean().backward()
    optimizer.step()
    value = {
        "epoch": 7, "arch": "toy", "best": 91.5, "final": True,
        "args": argparse.Namespace(lr=0.1, layers=[1, 2]),
        "state_dict": model.state_dict(), "optimizer": optimizer.state_dict(),
    }
    entries = flat(value["state_dict"], "state_dict")
    for i, state in value["optimizer"]["state"].items():
        entries += flat(state, f"optimizer/state/{i}")
    return value, entries


def no_source(_):
    raise OSError("the source of the classes stays out of the files")


def main():
    torch.manual_seed(0)
    torch.serialization.get_source_lines_and_file = no_source
    for name, how in (("zip", {}), ("legacy", {"_use_new_zipfile_serialization": False})):
        save(f"dtypes_{name}.pth", dtypes(), flat(dtypes()), **how)
        save(f"views_{name}.pth", views(), flat(views()), **how)
        value, entries = checkpoint()
        save(f"checkpoint_{name}.pth", value, entries, **how)
        module = Tied()
        save(f"module_{name}.pth", module, flat(module.state_dict()), **how)
    save("protocol4.pth", dtypes(), flat(dtypes()), pickle_protocol=4)
    save("list.pth", [numbers((2,)), {"a": numbers((3,))}],
         [("", "0", numbers((2,))), ("1", "a", numbers((3,)))])
    value = {"_orig_mod." + key: tensor for key, tensor in nn.Linear(2, 2).state_dict().items()}
    save("compiled.pth", {"model": value, "model_ema": value, "step": 3},
         flat(value, "model") + flat(value, "model_ema"))
    with open(os.path.join(FOLDER, "expected.json"), "w") as out:
        json.dump(EXPECTED, out, indent=0)


main()
