"""The networks of step.py. torchvision has the ResNets; ViT and ConvNeXt V2 are timm's modules, written down here
because timm is not in Debian: same operations in the same order, timm's names.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision


class Mlp(nn.Module):
    def __init__(self, width, grn):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.grn = Grn(4 * width) if grn else nn.Identity()
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(self.grn(F.gelu(self.fc1(x))))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        p = (q * (c // self.heads) ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1)
        return self.proj((p @ v).transpose(1, 2).reshape(n, t, c))


class VitBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, False)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, patch, width):
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class Vit(nn.Module):
    def __init__(self, patch=16, width=768, depth=12, heads=12, classes=1000):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (224 // patch) ** 2, width))
        self.patch_embed = PatchEmbed(patch, width)
        self.blocks = nn.Sequential(*[VitBlock(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patch_embed(x)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1).to(x.dtype), x), dim=1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


class Grn(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        norm = x.norm(p=2, dim=(1, 2), keepdim=True)
        response = norm / (norm.mean(dim=-1, keepdim=True) + 1e-6)
        return x + torch.addcmul(self.bias, self.weight, x * response)


class ChannelNorm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNextBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv_dw = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, True)

    def forward(self, x):
        return x + self.mlp(self.norm(self.conv_dw(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class Stage(nn.Module):
    def __init__(self, before, width, depth):
        super().__init__()
        self.downsample = nn.Identity() if before == width else nn.Sequential(
            ChannelNorm(before, eps=1e-6), nn.Conv2d(before, width, 2, 2))
        self.blocks = nn.Sequential(*[ConvNextBlock(width) for _ in range(depth)])

    def forward(self, x):
        return self.blocks(self.downsample(x))


class Head(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.norm = ChannelNorm(width, eps=1e-6)
        self.fc = nn.Linear(width, classes)

    def forward(self, x):
        return self.fc(self.norm(F.adaptive_avg_pool2d(x, 1)).flatten(1))


class ConvNextV2(nn.Module):
    def __init__(self, widths, depths, classes=1000):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0], eps=1e-6))
        before = (widths[0], *widths[:-1])
        self.stages = nn.Sequential(*[Stage(*sizes) for sizes in zip(before, widths, depths)])
        self.head = Head(widths[-1], classes)

    def forward(self, x):
        return self.head(self.stages(self.stem(x)))


def make(name):
    if name == "vit_base_patch16_224":
        return Vit()
    if name == "convnextv2_tiny":
        return ConvNextV2((96, 192, 384, 768), (3, 3, 9, 3))
    if name == "convnextv2_atto":
        return ConvNextV2((40, 80, 160, 320), (2, 2, 6, 2))
    return torchvision.models.get_model(name)
