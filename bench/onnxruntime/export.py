"""Writes a network of ../libtorch/networks.py as ONNX, for one batch size.

    export.py FOLDER/MODEL.pth BATCH FOLDER/MODEL.onnx
"""
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "libtorch"))
from networks import make

weights, batch, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
net = make(os.path.splitext(os.path.basename(weights))[0]).eval()
net.load_state_dict(torch.load(weights))
torch.onnx.export(net, torch.zeros(batch, 3, 224, 224), out, opset_version=17, input_names=["x"], output_names=["logits"])
