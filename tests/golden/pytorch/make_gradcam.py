"""Writes gradcam.safetensors: Grad-CAM as jacobgil/pytorch-grad-cam computes it, of the small models in
this folder. Run with Debian's python3 (torch 1.13): make_gradcam.py FOLDER_WITH_THE_SMALL_MODELS."""
import json, math, pathlib, struct, sys
import torch
import torch.nn.functional as F

folder = pathlib.Path(sys.argv[1])

def load(name):
    data = (folder / f"{name}.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]; header = json.loads(data[8:8 + size]); t = {}
    for key, entry in header.items():
        if key == "__metadata__" or entry["dtype"] != "F32": continue
        b, e = entry["data_offsets"]
        t[key] = torch.frombuffer(bytearray(data[8 + size + b:8 + size + e]), dtype=torch.float32).reshape(entry["shape"])
    return t

def save(path, tensors):
    header, blobs, at = {}, [], 0
    for k, t in tensors.items():
        b = t.detach().contiguous().numpy().tobytes()
        header[k] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + len(b)]}
        at += len(b); blobs.append(b)
    h = json.dumps(header).encode(); h += b" " * (-len(h) % 8)
    path.write_bytes(struct.pack("<Q", len(h)) + h + b"".join(blobs))

class Weights(dict):
    """weights("x.") holds what begins with x., without it."""
    def __call__(self, prefix): return Weights({k[len(prefix):]: v for k, v in self.items() if k.startswith(prefix)})
    def count(self, pattern):
        n = 0
        while any(k.startswith(pattern % n) for k in self): n += 1
        return n

# Each forward gives logits and the activations by name; an activation is replaced by what `cut` makes of it.

def resnet(w, x, cut):
    def bn(x, w): return F.batch_norm(x, w["running_mean"], w["running_var"], w["weight"], w["bias"])
    x = F.max_pool2d(F.relu(bn(F.conv2d(x, w["conv1.weight"], stride=2, padding=3), w("bn1."))), 3, 2, 1)
    for layer in range(1, 5):
        for i in range(w.count(f"layer{layer}.%d.")):
            b = w(f"layer{layer}.{i}."); stride = 2 if layer > 1 and i == 0 else 1
            y = F.relu(bn(F.conv2d(x, b["conv1.weight"], stride=stride, padding=1), b("bn1.")))
            y = bn(F.conv2d(y, b["conv2.weight"], padding=1), b("bn2."))
            if "downsample.0.weight" in b: x = bn(F.conv2d(x, b["downsample.0.weight"], stride=stride), b("downsample.1."))
            x = F.relu(x + y)
        x = cut(f"layer{layer}", x)
    return F.linear(x.mean((2, 3)), w["fc.weight"], w["fc.bias"])

def vit(w, x, cut, heads=4):
    def ln(x, w): return F.layer_norm(x, x.shape[-1:], w["weight"], w["bias"], 1e-6)
    p = w["patch_embed.proj.weight"]
    x = F.conv2d(x, p, w["patch_embed.proj.bias"], stride=p.shape[2:]).flatten(2).transpose(1, 2)
    x = torch.cat([w["cls_token"].expand(len(x), -1, -1), x], 1) + w["pos_embed"]
    for i in range(w.count("blocks.%d.")):
        b = w(f"blocks.{i}."); B, T, C = x.shape
        n = cut(f"blocks.{i}.norm1", ln(x, b("norm1.")))
        q, k, v = F.linear(n, b["attn.qkv.weight"], b["attn.qkv.bias"]).reshape(B, T, 3, heads, C // heads).permute(2, 0, 3, 1, 4)
        a = ((q @ k.transpose(-2, -1)) / math.sqrt(C // heads)).softmax(-1) @ v
        x = x + F.linear(a.transpose(1, 2).reshape(B, T, C), b["attn.proj.weight"], b["attn.proj.bias"])
        h = F.gelu(F.linear(ln(x, b("norm2.")), b["mlp.fc1.weight"], b["mlp.fc1.bias"]))
        x = x + F.linear(h, b["mlp.fc2.weight"], b["mlp.fc2.bias"])
    return F.linear(ln(x, w("norm."))[:, 0], w["head.weight"], w["head.bias"])

def convnext(w, x, cut):
    def ln(x, w): return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2], w["weight"], w["bias"], 1e-6).permute(0, 3, 1, 2)
    x = ln(F.conv2d(x, w["stem.0.weight"], w["stem.0.bias"], stride=4), w("stem.1."))
    for s in range(4):
        d = w(f"stages.{s}.downsample.")
        if d: x = F.conv2d(ln(x, d("0.")), d["1.weight"], d["1.bias"], stride=2)
        for i in range(w.count(f"stages.{s}.blocks.%d.")):
            b = w(f"stages.{s}.blocks.{i}."); C = x.shape[1]
            y = ln(F.conv2d(x, b["conv_dw.weight"], b["conv_dw.bias"], padding=3, groups=C), b("norm.")).permute(0, 2, 3, 1)
            y = F.gelu(F.linear(y, b["mlp.fc1.weight"], b["mlp.fc1.bias"]))
            g = y.norm(dim=(1, 2), keepdim=True); n = g / (g.mean(-1, keepdim=True) + 1e-6)
            y = y + b["mlp.grn.bias"] + b["mlp.grn.weight"] * y * n
            x = x + F.linear(y, b["mlp.fc2.weight"], b["mlp.fc2.bias"]).permute(0, 3, 1, 2)
        x = cut(f"stages.{s}", x)
    x = ln(x.mean((2, 3), keepdim=True), w("head.norm.")).flatten(1)
    return F.linear(x, w["head.fc.weight"], w["head.fc.bias"])

def unit(cam):
    cam = cam - cam.amin((1, 2), keepdim=True)
    return cam / (1e-7 + cam.amax((1, 2), keepdim=True))

def grad_cam(forward, w, x, layer, target):
    kept = {}
    def cut(name, a):
        if name == layer: a.retain_grad(); kept["a"] = a
        return a
    logits = forward(w, x.clone().requires_grad_(), cut)
    chosen = logits.argmax(1) if target is None else torch.full((len(x),), target)
    logits.gather(1, chosen[:, None]).sum().backward()
    a, da = kept["a"], kept["a"].grad
    if a.dim() == 3:                       # tokens: without the class token, as an image
        side = math.isqrt(a.shape[1] - 1)
        a, da = (t[:, 1:].transpose(1, 2).reshape(len(x), -1, side, side) for t in (a, da))
    cam = unit(F.relu((da.mean((2, 3), keepdim=True) * a).sum(1)))
    stretched = F.interpolate(cam[:, None], x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    return logits, cam, unit(stretched)

out = {}
for name, forward, layer, other in (("resnet_basic_small", resnet, "layer4", "layer2"),
                                    ("vit_small", vit, "blocks.2.norm1", "blocks.1.norm1"),
                                    ("convnext_v2_small", convnext, "stages.3", "stages.2")):
    golden = load(name)
    w = Weights({k[8:]: v for k, v in golden.items() if k.startswith("weights/")})
    logits, cam, stretched = grad_cam(forward, w, golden["input"], layer, None)
    assert torch.allclose(logits, golden["logits_eval"], rtol=1e-4, atol=1e-4), name
    out |= {f"{name}/map": cam, f"{name}/stretched": stretched}
    out[f"{name}/{other}/2"] = grad_cam(forward, w, golden["input"], other, 2)[1]
save(pathlib.Path(__file__).parent / "gradcam.safetensors", out)
