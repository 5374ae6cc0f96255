"""Prints what torch.optim's steps make of one parameter: the numbers in tests/nn/optimizer_test.cpp."""
import torch

GRADIENTS = [[0.5, -1.0, 0.25], [-0.75, 0.5, 2.0], [0.125, 0.25, -0.5]]


def run(name, make):
    p = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
    optimizer = make([p])
    for gradient in GRADIENTS:
        p.grad = torch.tensor(gradient)
        optimizer.step()
    print(name, ", ".join(f"{v:.9g}f" for v in p.tolist()))


run("adam", lambda p: torch.optim.Adam(p, lr=1e-2))
run("adam_l2", lambda p: torch.optim.Adam(p, lr=1e-2, weight_decay=0.1))
run("adamw", lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.1))
run("sgd", lambda p: torch.optim.SGD(p, lr=1e-1))
run("sgd_momentum", lambda p: torch.optim.SGD(p, lr=1e-1, momentum=0.9, weight_decay=0.01))
run("sgd_nesterov", lambda p: torch.optim.SGD(p, lr=1e-1, momentum=0.9, nesterov=True))
