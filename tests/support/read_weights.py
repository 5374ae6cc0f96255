#!/usr/bin/env python3
"""Lists a weight file, one tensor a line: group, name, dtype, shape, sha256 of its elements.

    read_weights.py safetensors FILE     an independent reader, nothing but the standard library
    read_weights.py torch FILE           torch.load; exits with 77 where torch is missing
    read_weights.py torch-weights-only FILE
"""
import hashlib
import json
import struct
import sys


def line(group, name, dtype, shape, content):
    print(group, name, dtype.lower(), list(shape), hashlib.sha256(content).hexdigest(), sep="\t")


def read_safetensors(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    assert size % 8 == 0, "the data are not aligned to 8"
    metadata = header.pop("__metadata__", {})
    assert all(isinstance(text, str) for text in metadata.values())
    end = 0
    for entry in sorted(header.values(), key=lambda entry: entry["data_offsets"]):
        assert entry["data_offsets"][0] == end, "a gap or an overlap"
        end = entry["data_offsets"][1]
    assert end == len(data), "bytes too many"
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        line("", name, entry["dtype"], entry["shape"], data[begin:end])


def read_torch(path, weights_only):
    try:
        import torch
    except ImportError:
        sys.exit(77)

    def walk(group, key, value):
        if isinstance(value, torch.Tensor):
            flat = value.detach().contiguous().reshape(-1)
            raw = flat.view(torch.uint8) if flat.dtype != torch.bool else flat.to(torch.uint8)
            names = {"float": "f", "int": "i", "uint": "u", "bfloat": "bf"}
            dtype = str(value.dtype)[len("torch."):]
            for long in sorted(names, key=len, reverse=True):
                if dtype.startswith(long):
                    dtype = names[long] + dtype[len(long):]
                    break
            line(group, key, dtype, value.shape, raw.numpy().tobytes())
        elif isinstance(value, dict):
            for inner, item in value.items():
                walk("/".join(part for part in (group, key) if part), str(inner), item)

    walk("", "", torch.load(path, map_location="cpu", **weights_only))


kind, path = sys.argv[1:]
if kind == "safetensors":
    read_safetensors(path)
else:
    read_torch(path, {"weights_only": True} if kind == "torch-weights-only" else {})
