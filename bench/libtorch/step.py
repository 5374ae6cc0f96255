"""Networks at 224x224, step by step, on command: the LibTorch side of scripts/bench_cpu.sh.

    step.py FOLDER          where the other side has written MODEL.pth
    stdin:   MODEL train|infer f32|bf16 BATCH STEPS
    stdout:  seconds per step, peak resident MiB, and a check value: the loss before the first timed step, or the sum
             of |logits|

Its strongest settings: channels_last or contiguous, whichever is faster for the case (measured once), frozen and
optimised for f32 inference, eager for bf16, the multi-tensor Adam.
"""
import os
import resource
import sys
import time

import numpy
import torch

from networks import make

CLASSES, SIZE = 1000, 224


def inputs(batch):
    index = numpy.arange(batch * 3 * SIZE * SIZE, dtype=numpy.uint32)
    word = index * numpy.uint32(1103515245) + numpy.uint32(12345)
    values = (word >> 8).astype(numpy.float32) * numpy.float32(2.0**-23) - numpy.float32(1)
    return torch.from_numpy(values).reshape(batch, 3, SIZE, SIZE)


def labels(batch):
    return torch.tensor([i * 37 % CLASSES for i in range(batch)])


def network(path, channels_last):
    net = make(os.path.splitext(os.path.basename(path))[0])
    net.load_state_dict(torch.load(path))
    return net.to(memory_format=torch.channels_last) if channels_last else net


class Training:
    def __init__(self, path, dtype, batch, channels_last):
        self.net = network(path, channels_last).train()
        self.adam = torch.optim.Adam(self.net.parameters(), foreach=True)
        self.x, self.y, self.bf16 = inputs(batch), labels(batch), dtype == "bf16"
        if channels_last:
            self.x = self.x.contiguous(memory_format=torch.channels_last)

    def step(self):
        self.adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            loss = torch.nn.functional.cross_entropy(self.net(self.x).float(), self.y)
        loss.backward()
        self.adam.step()
        return loss.item()


class Inference:
    def __init__(self, path, dtype, batch, channels_last):
        self.x = inputs(batch)
        net = network(path, channels_last).eval()
        if channels_last:
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            if dtype == "bf16":
                self.net, self.x = net.bfloat16(), self.x.bfloat16()
            else:
                traced = torch.jit.freeze(torch.jit.trace(net, self.x))
                self.net = torch.jit.optimize_for_inference(traced)

    def step(self):
        with torch.no_grad():
            self.logits = self.net(self.x)
        return self.logits.float().abs().sum().item()


def faster_layout(kind, path, dtype, batch):
    """Times three steps of either layout and keeps the faster; weights start fresh afterwards."""
    times = []
    for channels_last in (False, True):
        trial = kind(path, dtype, batch, channels_last)
        trial.step()
        start = time.perf_counter()
        for _ in range(3):
            trial.step()
        times.append(time.perf_counter() - start)
    return kind(path, dtype, batch, times[1] < times[0])


def main():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    folder = sys.argv[1]
    print("ready", flush=True)
    made = {}
    for line in sys.stdin:
        model, what, dtype, batch, steps = line.split()
        path = os.path.join(folder, model + ".pth")
        key = (model, what, dtype, batch)
        if key not in made:
            made[key] = faster_layout(Training if what == "train" else Inference, path, dtype, int(batch))
        start = time.perf_counter()
        first = made[key].step()
        for _ in range(int(steps) - 1):
            made[key].step()
        seconds = (time.perf_counter() - start) / int(steps)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{seconds:.9g} {peak:.9g} {first:.9g}", flush=True)


if __name__ == "__main__":
    main()
