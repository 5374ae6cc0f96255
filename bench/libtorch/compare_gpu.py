"""burin beside PyTorch on a GPU, every mode of both, interleaved in one run: medians, spread and ratios.

    compare_gpu.py STEP_BENCH [--rounds N] [--cases resnet18:train:bf16:256,…] [--warm] [--json FILE]

A case counts only if all agree on its check value. With --warm nothing is measured: PyTorch compiles what a later run
needs into its cache (TORCHINDUCTOR_CACHE_DIR). burin's modes: `eager`, `graph` (the step recorded and replayed), and
that again with the handwritten kernels alone (`cuda graph`), and with those preferred that clusters of blocks share
(`cluster graph`) or, in training, whose blocks all wait for each other (`cooperative graph`). Those two, which no GPU has
run yet, have a process of their own; a mode that dies is left out of what follows. PyTorch's modes are in step_gpu.py.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

CASES = "resnet18:train:bf16:256,resnet18:infer:bf16:1,resnet18:train:bf16:32,resnet18:infer:bf16:256"
TORCH_MODES = ("eager", "compile", "compile_graph")  # a captured eager step, `graph`, was slower than these
OUR_MODES = (("eager", ""), ("graph", "graph"), ("cuda graph", "graph cuda"))
NEW_MODES = (("cluster graph", "graph cuda/cluster"), ("cooperative graph", "graph cuda/cooperative"))
HERE = os.path.dirname(os.path.abspath(__file__))


class Side:
    def __init__(self, name, command, **extra):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, **extra))
        if self.process.stdout.readline().strip() != "ready":
            sys.exit(f"compare_gpu: {name} did not start")

    def run(self, case, steps, mode):
        try:
            self.process.stdin.write(case.replace(":", " ") + f" {steps} {mode}\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return [float(field) for field in line.split()] or None


def steps_for(seconds):
    return max(5, min(400, int(0.25 / max(seconds, 1e-5))))


def measure(case, runners, rounds):
    """runners: (label, side, mode). One warm-up each, then rounds of all in turn."""
    first = {}
    for label, side, mode in runners:
        started = time.time()
        result = side.run(case, 3, mode)
        print(f"  {case} {label}: warm after {time.time() - started:.1f} s {result}", file=sys.stderr, flush=True)
        if result is not None:
            first[label] = result
    times = {label: [] for label in first}
    for _ in range(rounds):
        for label, side, mode in runners:
            result = side.run(case, steps_for(first[label][0]), mode) if label in times else None
            if result is None:
                times.pop(label, None)
            else:
                times[label].append(result[0])
    expected = first.get("torch eager", next(iter(first.values()), [0, 0, 0]))[2]
    batch = int(case.split(":")[-1])
    return {label: {"images_per_s": batch / statistics.median(t), "ms": statistics.median(t) * 1e3,
                    "ms_min": min(t) * 1e3, "ms_max": max(t) * 1e3, "peak_mib": first[label][1],
                    "check_value": first[label][2],
                    "agrees": abs(first[label][2] - expected) <= 2e-2 * abs(expected)}
            for label, t in times.items()}


def print_case(case, rows):
    best_torch = min((r["ms"] for label, r in rows.items() if label.startswith("torch")), default=float("nan"))
    print(f"\n{case:32} {'ms (min to max)':>28} {'images/s':>10} {'× best PyTorch':>15} {'peak MiB':>9}  check value")
    for label, r in rows.items():
        spread = f"{r['ms']:.3f} ({r['ms_min']:.3f} to {r['ms_max']:.3f})"
        print(f"  {label:30} {spread:>28} {r['images_per_s']:10.0f} {best_torch / r['ms']:15.2f} {r['peak_mib']:9.0f}"
              f"  {r['check_value']:.6g}{'' if r['agrees'] else '  DIFFERS'}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("step_bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--torch-modes", default=",".join(TORCH_MODES))
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--json")
    options = parser.parse_args()
    results = {}
    complete = True
    with tempfile.TemporaryDirectory() as folder:
        runners = []
        for modes in (OUR_MODES[:1],) if options.warm else (OUR_MODES, NEW_MODES):
            side = Side("burin", [options.step_bench, folder, options.device])
            runners += [("burin " + name, side, words) for name, words in modes]
        if options.torch_modes:
            torch = Side("torch", [sys.executable, os.path.join(HERE, "step_gpu.py"), folder])
            runners += [("torch " + mode, torch, mode) for mode in options.torch_modes.split(",")]
        for case in options.cases.split(","):
            if options.warm:
                for _, side, mode in runners:
                    side.run(case, 1, mode)
                continue
            chosen = [r for r in runners if "cooperative" not in r[0] or ":train:" in case]
            results[case] = measure(case, chosen, options.rounds)
            complete = complete and len(results[case]) == len(chosen)
            print_case(case, results[case])
            if options.json:
                with open(options.json, "w") as out:
                    json.dump(results, out, indent=1)
    sys.exit(0 if complete and all(r["agrees"] for rows in results.values() for r in rows.values()) else 1)


main()
