"""Runs burin and its peers in one go, interleaved A B C A B C, and prints medians, spread and ratios.

    compare.py STEP_BENCH STEP_PY [--rounds N] [--threads 2,1] [--cases resnet18:train:f32:16,…] [--json FILE]
               [--onnxruntime STEP_MJS]

LibTorch is a peer in every case, ONNX Runtime in those of inference in f32. A peer counts only if it agrees with burin
on the case's check value. Started by scripts/bench_cpu.sh, which sets LibTorch's environment; this file needs nothing
but the standard library.
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


def peers_of(case, options):
    """Names and commands of those that can run a case, and what their environment needs."""
    peers = [("libtorch", [options.python, options.step_py], {"LD_PRELOAD": options.preload})]
    if options.onnxruntime and ":infer:f32:" in case:
        peers.append(("onnxruntime", ["node", options.onnxruntime], {}))
    return peers


def measure(case, threads, options, folder):
    peers = peers_of(case, options)
    sides = [Side([options.step_bench, folder], threads, {})]
    sides += [Side(command + [folder], threads, extra) for _, command, extra in peers]
    # The first run of each side is warm-up, and its check values must agree: equal weights, equal input.
    first = [side.run(case, 2) for side in sides]
    if None in first:
        return {"case": case, "threads": threads, "error": "a side failed: see above"}
    steps = [steps_for(side.run(case, 2)[0]) for side in sides]  # not the first run's: it plans and packs
    times = [[] for _ in sides]
    for _ in range(options.rounds):
        for i, side in enumerate(sides):
            times[i].append(side.run(case, steps[i])[0])
    peaks = [side.run(case, 2)[1] for side in sides]
    for side in sides:
        side.close()
    batch = int(case.split(":")[-1])
    tolerance = 2e-2 if "bf16" in case else 1e-3
    row = {"case": case, "threads": threads, "burin_images_per_s": batch / statistics.median(times[0]),
           "burin_peak_mib": peaks[0], "burin_check_value": first[0][2], "peers": {}}
    for i, (name, _, _) in enumerate(peers, start=1):
        ratios = [theirs / ours for ours, theirs in zip(times[0], times[i])]
        row["peers"][name] = {
            "agree": abs(first[0][2] - first[i][2]) <= tolerance * max(abs(first[i][2]), 1e-6),
            "check_value": first[i][2], "images_per_s": batch / statistics.median(times[i]), "peak_mib": peaks[i],
            "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios)}
    return row


def show(row):
    start = f"{row['case']:36} {row['threads']:3}  "
    if "error" in row:
        print(start + "NOT COUNTED: " + row["error"], flush=True)
        return
    for name, peer in row["peers"].items():
        if not peer["agree"]:
            print(f"{start}{name} NOT COUNTED: check values {row['burin_check_value']} and {peer['check_value']}", flush=True)
            continue
        print(f"{start}{row['burin_images_per_s']:11.1f}  {name:11} {peer['images_per_s']:10.1f}  "
              f"{peer['ratio']:.2f} ({peer['ratio_min']:.2f}-{peer['ratio_max']:.2f})   "
              f"{row['burin_peak_mib']:.0f} / {peer['peak_mib']:.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("step_bench")
    parser.add_argument("step_py")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", default="2,1")
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--preload", default="")
    parser.add_argument("--onnxruntime", default="")
    parser.add_argument("--json")
    options = parser.parse_args()
    rows = []
    print(f"{'case':36} thr  burin img/s  peer             img/s  ratio (min-max)      peak MiB burin / peer")
    with tempfile.TemporaryDirectory() as folder:
        for threads in map(int, options.threads.split(",")):
            for case in options.cases.split(","):
                rows.append(measure(case, threads, options, folder))
                show(rows[-1])
                if options.json:  # each time: what was measured stays when the rest is not waited for
                    with open(options.json, "w") as out:
                        json.dump(rows, out, indent=1)
    agreed = [peer["agree"] for row in rows for peer in row.get("peers", {}).values()]
    sys.exit(0 if all(agreed) and not any("error" in row for row in rows) else 1)


main()
