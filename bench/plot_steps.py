#!/usr/bin/env python3
"""Draws the steps of gpu_check runs as bars, images per second: bench/plot_steps.py RESULT.json… OUT.svg
A case that several runs have is the last one's."""
import json
import sys

TITLES = {"resnet18:train:bf16:256": "training, batch 256", "resnet18:train:bf16:32": "training, batch 32",
          "resnet18:infer:bf16:256": "inference, batch 256", "resnet18:infer:bf16:1": "inference, batch 1"}
LABELS = {"burin eager": "burin", "burin graph": "burin, step recorded", "burin cuda graph": "burin, handwritten kernels alone",
          "torch eager": "PyTorch", "torch compile": "PyTorch, compiled", "torch compile_graph": "PyTorch, compiled and captured"}
ROW, LEFT, WIDTH, GAP = 22, 250, 360, 44


def panel(title, rows, top):
    most = max(row["images_per_s"] for row in rows.values())
    out = [f'<text x="10" y="{top + 16}" class="title">{title}</text>']
    for i, (name, row) in enumerate(rows.items()):
        y = top + 26 + i * ROW
        kind = "ours" if name.startswith("burin") else "theirs"
        length = WIDTH * row["images_per_s"] / most
        out.append(f'<text x="{LEFT - 8}" y="{y + 14}" class="name">{LABELS[name]}</text>'
                   f'<rect x="{LEFT}" y="{y + 2}" width="{length:.1f}" height="{ROW - 6}" class="{kind}"/>'
                   f'<text x="{LEFT + length + 6:.1f}" y="{y + 14}">{row["images_per_s"]:,.0f}</text>')
    return out, top + 26 + len(rows) * ROW + GAP - 26


def main():
    results = [json.load(open(name)) for name in sys.argv[1:-1]]
    steps = {case: rows for result in results for case, rows in result["steps"].items()}
    body, y = [], 44
    for case, rows in steps.items():
        lines, y = panel(TITLES[case], rows, y)
        body += lines
    style = ("text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.name{text-anchor:end}.head{font-size:14px;font-weight:bold}"
             ".ours{fill:#2f6f9f}.theirs{fill:#b9b9b9}svg{background:#fff}")
    head = f'ResNet-18 at 224×224, bf16, {results[-1]["gpu"].split(",")[0]}: images per second'
    with open(sys.argv[-1], "w") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="700" height="{y}" viewBox="0 0 700 {y}">\n<style>{style}</style>\n'
                  f'<rect width="700" height="{y}" fill="#fff"/>\n<text x="10" y="24" class="head">{head}</text>\n'
                  + "\n".join(body) + "\n</svg>\n")


main()
