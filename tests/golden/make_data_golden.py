#!/usr/bin/python3
"""Writes data_golden.txt: what Pillow, torchvision and torch compute, as hashes, for tests/data.

Each line is a case: its parameters, then the FNV-1a hash (64 bits) of the bytes of the result. The
images are noise of a linear congruential generator, so nothing but the hash need be kept.
Run by hand with Pillow 9.4, torch 1.13, torchvision 0.14 (Debian 12's).
"""
import pathlib

import numpy as np
import torch
import torchvision.transforms as T
import torchvision.transforms.functional as F
from PIL import Image

FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}


def noise(width, height):
    state = width * 1000003 + height
    out = bytearray()
    for _ in range(width * height * 3):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(state >> 24)
    return Image.frombytes("RGB", (width, height), bytes(out))


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


lines = []


def write(*parts, data):
    lines.append(" ".join(str(part) for part in parts) + " " + fnv(data))


SIZES = [  # source, target
    (64, 48, 32, 24), (64, 48, 128, 96), (61, 47, 29, 31), (29, 31, 61, 47), (100, 3, 7, 5),
    (3, 100, 5, 7), (1, 1, 9, 4), (9, 4, 1, 1), (50, 40, 50, 17), (50, 40, 21, 40), (333, 217, 39, 25),
    (17, 200, 40, 3), (2, 2, 3, 3), (90, 60, 89, 61), (500, 375, 341, 256),
]
BOXES = [  # source, box, target
    (64, 48, (10.0, 5.0, 40.0, 45.0), 20, 30), (64, 48, (0.5, 0.25, 63.5, 47.75), 40, 33),
    (64, 48, (3.3, 7.7, 9.1, 8.9), 24, 18), (64, 48, (20.0, 10.0, 60.0, 40.0), 40, 30),
    (64, 48, (0.0, 0.0, 32.0, 48.0), 32, 20),
]
for name, kind in FILTERS.items():
    for w, h, ow, oh in SIZES:
        out = noise(w, h).resize((ow, oh), kind)
        write("resize", w, h, 0, 0, w, h, ow, oh, name, data=out.tobytes())
    for w, h, box, ow, oh in BOXES:
        out = noise(w, h).resize((ow, oh), kind, box=box)
        write("resize", w, h, *box, ow, oh, name, data=out.tobytes())

MODES = {"bilinear": T.InterpolationMode.BILINEAR, "bicubic": T.InterpolationMode.BICUBIC}
for w, h, size, crop, name in [
    (100, 75, 64, 56, "bilinear"), (75, 100, 64, 56, "bilinear"), (101, 83, 62, 56, "bicubic"),
    (83, 101, 57, 32, "bicubic"), (40, 90, 24, 33, "bilinear"), (90, 41, 20, 33, "bilinear"),
    (64, 64, 64, 31, "bilinear"), (20, 20, 20, 25, "bilinear"),
]:
    pipeline = T.Compose([T.Resize(size, MODES[name]), T.CenterCrop(crop)])
    write("evaluate", w, h, size, crop, name, data=pipeline(noise(w, h)).tobytes())

for name, adjust in [("brightness", F.adjust_brightness), ("contrast", F.adjust_contrast),
                     ("saturation", F.adjust_saturation), ("hue", F.adjust_hue)]:
    factors = [-0.5, -0.13, 0.0, 0.004, 0.27, 0.5] if name == "hue" else [0.0, 0.3, 0.77, 1.0, 1.4, 2.9]
    for factor in factors:
        write(name, 61, 47, factor, data=adjust(noise(61, 47), factor).tobytes())

for n, seed in [(10, 42), (1, 0), (2, 7), (200, 42), (2000, 1), (140000, 42), (140000, 4294967301)]:
    torch.manual_seed(seed)
    write("randperm", n, seed, data=torch.randperm(n).numpy().astype("<i8").tobytes())

out = pathlib.Path(__file__).parent / "data_golden.txt"
out.write_text("\n".join(lines) + "\n")
