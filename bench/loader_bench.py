#!/usr/bin/python3
"""Decode + resize 256 + centre crop 224 + normalise on one core: burin beside PIL and torchvision.

    loader_bench.py burin_loader_bench [FOLDER of JPEGs]

Both work on files held in memory, in turns (A B A B …), timed in processor seconds, after the results
have been compared number by number. Without a FOLDER, 500x375 photos of about 39 KB are cut from
data/images-nasty/exif-orientation. Prints the medians and the ratio.
"""
import io
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from PIL import Image, ImageOps
import torchvision.transforms as T

ROUNDS = 9


def make_photos(folder):
    root = pathlib.Path(__file__).resolve().parent.parent
    data = pathlib.Path(os.environ.get("BURIN_TEST_DATA", root / "../shared/data"))
    count = 0
    for number in (1, 4, 8):
        path = data / f"images-nasty/exif-orientation/Portrait_{number}.jpg"
        photo = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        for top in range(0, photo.height - 675, 220):
            for left in range(0, photo.width - 900, 100):
                tile = photo.crop((left, top, left + 900, top + 675)).resize((500, 375), Image.LANCZOS)
                tile.save(f"{folder}/{count:03}.jpg", quality=91)
                count += 1


def main():
    program = sys.argv[1]
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    torch.set_num_threads(1)
    pipeline = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor(),
                          T.Normalize([.485, .456, .406], [.229, .224, .225])])
    with tempfile.TemporaryDirectory() as temporary:
        folder = sys.argv[2] if len(sys.argv) > 2 else temporary + "/photos"
        if len(sys.argv) <= 2:
            os.mkdir(folder)
            make_photos(folder)
        files = [path.read_bytes() for path in sorted(pathlib.Path(folder).rglob("*")) if path.is_file()]
        load = lambda data: pipeline(Image.open(io.BytesIO(data)).convert("RGB"))

        tensors = temporary + "/tensors"
        subprocess.run([program, folder, tensors], check=True, stdout=subprocess.DEVNULL)
        ours = np.fromfile(tensors, np.float32).reshape(len(files), 224, 224, 3)
        theirs = np.stack([load(data).numpy().transpose(1, 2, 0) for data in files])
        print(f"{len(files)} files, {sum(map(len, files)) / len(files) / 1000:.1f} KB each; "
              f"largest difference from torchvision {np.abs(ours - theirs).max():.3g}")

        burin, steps, pil = [], [], []
        for _ in range(ROUNDS):
            words = subprocess.run([program, folder], check=True, capture_output=True, text=True).stdout.split()
            burin.append(len(files) / float(words[1]))
            steps.append([float(word) / float(words[1]) for word in words[2:]])
            start = time.process_time()
            for data in files:
                load(data)
            pil.append(len(files) / (time.process_time() - start))
        for name, rates in (("burin", burin), ("PIL + torchvision", pil)):
            print(f"{name:18} {statistics.median(rates):7.0f} images/s  ({min(rates):.0f} to {max(rates):.0f})")
        shares = [statistics.median(step) for step in zip(*steps)]
        print("burin's time: decode {:.0%}, resize {:.0%}, normalise {:.0%}".format(*shares))
        ratios = [a / b for a, b in zip(burin, pil)]
        print(f"ratio {statistics.median(ratios):.2f}  ({min(ratios):.2f} to {max(ratios):.2f})")


main()
