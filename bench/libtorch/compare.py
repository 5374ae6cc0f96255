"""Runs both sides in one go, interleaved A B A B, and prints medians, spread and ratios.

    compare.py STEP_BENCH STEP_PY [--rounds N] [--threads 2,1] [--cases resnet18:train:f32:16,…] [--json FILE]

A case counts only if both sides agree on its check value. Started by scripts/bench_cpu.sh, which sets LibTorch's
environment; this file needs nothing but the standard library.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

CASES = ("resnet18:train:f32:16,resnet18:infer:f32:1,resnet18:infer:f32:16,resnet18:train:bf16:16,resnet18:infer:bf16:16,"
         "vit_base_patch16_224:train:f32:8,vit_base_patch16_224:infer:f32:1,vit_base_patch16_224:infer:f32:8,"
         "convnextv2_tiny:train:f32:8,convnextv2_tiny:infer:f32:1,convnextv2_tiny:infer:f32:8")


class Side:
    def __init__(self, command, threads, extra):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), **extra)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        if self.process.stdout.readline().strip() != "ready":
            sys.exit(f"compare: {command[0]} did not start")

    def run(self, case, steps):
        self.process.stdin.write(case.replace(":", " ") + f" {steps}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            return None
        return [float(field) for field in line.split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def steps_for(seconds):
    """About half a second of work, at least two steps."""
    return max(2, min(50, int(0.5 / max(seconds, 1e-4))))


def measure(case, threads, options, folder):
    sides = [Side([options.step_bench, folder], threads, {}),
             Side([options.python, options.step_py, folder], threads, {"LD_PRELOAD": options.preload})]
    # The first run of either side is warm-up, and its check values must agree: equal weights, equal input.
    first = [side.run(case, 2) for side in sides]
    if None in first:
        return {"case": case, "threads": threads, "error": "a side failed: see above"}
    ours, theirs = first[0][2], first[1][2]
    tolerance = 2e-2 if "bf16" in case else 1e-3
    agree = abs(ours - theirs) <= tolerance * max(abs(theirs), 1e-6)
    steps = [steps_for(side[0]) for side in first]
    times = [[], []]
    for _ in range(options.rounds):
        for i, side in enumerate(sides):
            times[i].append(side.run(case, steps[i])[0])
    peaks = [side.run(case, 2)[1] for side in sides]
    for side in sides:
        side.close()
    batch = int(case.split(":")[-1])
    ratios = [b / a for a, b in zip(*times)]
    return {"case": case, "threads": threads, "agree": agree, "check_values": [ours, theirs],
            "burin_images_per_s": batch / statistics.median(times[0]),
            "libtorch_images_per_s": batch / statistics.median(times[1]),
            "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
            "burin_peak_mib": peaks[0], "libtorch_peak_mib": peaks[1]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("step_bench")
    parser.add_argument("step_py")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", default="2,1")
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--preload", default="")
    parser.add_argument("--json")
    options = parser.parse_args()
    rows = []
    print(f"{'case':36} thr  burin img/s  LibTorch img/s  ratio (min-max)      peak MiB burin / LibTorch")
    with tempfile.TemporaryDirectory() as folder:
        for threads in map(int, options.threads.split(",")):
            for case in options.cases.split(","):
                row = measure(case, threads, options, folder)
                rows.append(row)
                if "error" in row or not row["agree"]:
                    print(f"{case:36} {threads:3}  NOT COUNTED: {row.get('error', row.get('check_values'))}", flush=True)
                    continue
                print(f"{case:36} {threads:3}  {row['burin_images_per_s']:11.1f}  {row['libtorch_images_per_s']:14.1f}  "
                      f"{row['ratio']:.2f} ({row['ratio_min']:.2f}-{row['ratio_max']:.2f})   "
                      f"{row['burin_peak_mib']:.0f} / {row['libtorch_peak_mib']:.0f}", flush=True)
    if options.json:
        with open(options.json, "w") as out:
            json.dump(rows, out, indent=1)
    sys.exit(0 if all(row.get("agree") for row in rows) else 1)


main()
