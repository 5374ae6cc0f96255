"""Networks at 224x224 on a GPU, step by step, on command: the PyTorch side of compare_gpu.py.

    step_gpu.py FOLDER      where the other side has written MODEL.pth
    stdin:   MODEL train|infer bf16 BATCH STEPS MODE
    stdout:  seconds per step, peak MiB that the allocator held, and a check value: the loss before the first step
             ever, or the sum of |logits|

Modes, all channels_last with cuDNN's autotuning and the fused Adam:
    eager           training: autocast; inference: weights in bf16
    graph           the same, the whole step captured in a CUDA graph
    compile         torch.compile (inference: frozen, so that batch norms are folded)
    compile_graph   torch.compile, the whole step captured in a CUDA graph
"""
import os
import sys
import time

import torch
from step import inputs, labels, network

torch.backends.cudnn.benchmark = True
torch.backends.cuda.matmul.allow_tf32 = True
torch.backends.cudnn.allow_tf32 = True


class Repeated:
    """A step that is run as it is or, in the graph modes, captured once and replayed."""

    def __init__(self, mode):
        self.graph = None
        self.mode = mode

    def prepare(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for i in range(11 if "compile" in self.mode else 4):
                self.eager()
                if i == 0:
                    self.first = self.check_value()
        torch.cuda.current_stream().wait_stream(side)
        if "graph" in self.mode:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.eager()
            self.step()

    def step(self):
        if self.graph is None:
            self.eager()
        else:
            self.graph.replay()


class Training(Repeated):
    def __init__(self, path, batch, mode):
        super().__init__(mode)
        self.net = network(path, True).cuda().train()
        self.run = torch.compile(self.net, dynamic=False) if "compile" in mode else self.net
        self.adam = torch.optim.Adam(self.net.parameters(), fused=True, capturable="graph" in mode)
        self.x = inputs(batch).cuda().contiguous(memory_format=torch.channels_last)
        self.y = labels(batch).cuda()
        self.prepare()

    def eager(self):
        self.adam.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16, cache_enabled="graph" not in self.mode):
            logits = self.run(self.x)
        self.loss = torch.nn.functional.cross_entropy(logits.float(), self.y)
        self.loss.backward()
        self.adam.step()

    def check_value(self):
        return self.loss.item()


class Inference(Repeated):
    def __init__(self, path, batch, mode):
        super().__init__(mode)
        self.net = network(path, True).cuda().eval().bfloat16()
        torch._inductor.config.freezing = True
        self.run = torch.compile(self.net, dynamic=False) if "compile" in mode else self.net
        self.x = inputs(batch).cuda().bfloat16().contiguous(memory_format=torch.channels_last)
        self.prepare()
        self.first = self.check_value()

    def eager(self):
        with torch.no_grad():
            self.logits = self.run(self.x)

    def check_value(self):
        return self.logits.float().abs().sum().item()


def main():
    folder = sys.argv[1]
    print("ready", flush=True)
    made = {}
    for line in sys.stdin:
        model, what, dtype, batch, steps, mode = line.split()
        assert dtype == "bf16", dtype
        key = (model, what, batch, mode)
        if key not in made:
            torch._dynamo.reset()
            torch._inductor.config.freezing = what == "infer"
            made[key] = (Training if what == "train" else Inference)(os.path.join(folder, model + ".pth"), int(batch), mode)
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(int(steps)):
            made[key].step()
        torch.cuda.synchronize()
        seconds = (time.perf_counter() - start) / int(steps)
        peak = torch.cuda.max_memory_reserved() / 2**20
        print(f"{seconds:.9g} {peak:.9g} {made[key].first:.9g}", flush=True)


main()
