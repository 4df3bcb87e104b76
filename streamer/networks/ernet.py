"""ERnet, the published four-class segmenter of the endoplasmic reticulum, computed window by window.

Its published code runs a SwinIR whose windows have collapsed to 2x2 pixels, never shifted. Such a window is
four pixels that see nobody else through six blocks. Here they are kept apart as four planes at half
resolution, so that every linear layer is a 1x1 convolution and the 4x4 attention of a head is a sum of
products of planes: the same numbers up to rounding, several times faster.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Height and width must divide by this: a window is 2x2 pixels.
SIZE_MULTIPLE = 2
CHANNELS, HEADS, BLOCKS, GROUPS, CLASSES = 64, 8, 6, 2, 4
#: Pixels of a window, and channels of a head.
WINDOW, DEPTH = 4, CHANNELS // HEADS
#: Of all its LayerNorms, the default of PyTorch.
NORM_EPS = 1e-5
#: What ERnet's classes are called, in the order of its output.
CLASS_NAMES = ("background", "sheet-based tubule", "tubule", "sheet")
#: Windows that eager PyTorch takes through a group at a time on a processor: they stay in its cache.
CHUNK_WINDOWS = 1024


class Folded(NamedTuple):
    """A block's weights as its planes take them: scales and shifts of the norms are inside the layers.

    Queries, keys and values are ordered by channel of a head, then by head, so that one channel of all heads
    is a slice of its own; the queries carry the scale of the attention.
    """

    qkv: Tensor
    qkv_shift: Tensor
    bias: Tensor  # [key, heads, query, 1]
    proj: Tensor
    proj_shift: Tensor
    fc1: Tensor
    fc1_shift: Tensor
    fc2: Tensor
    fc2_shift: Tensor


class Attention(nn.Module):
    """Self-attention of the four pixels of a window, eight heads, with a bias by relative position."""

    relative_position_index: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.randn(9, HEADS) * 0.02)
        y, x = torch.arange(WINDOW) // 2, torch.arange(WINDOW) % 2
        index = 3 * (y[:, None] - y + 1) + (x[:, None] - x + 1)
        self.register_buffer("relative_position_index", index)
        self.qkv = nn.Linear(CHANNELS, 3 * CHANNELS)
        self.proj = nn.Linear(CHANNELS, CHANNELS)


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(CHANNELS, 2 * CHANNELS)
        self.fc2 = nn.Linear(2 * CHANNELS, CHANNELS)


class Block(nn.Module):
    """A transformer block that normalises first: [b, 64, 4, n] to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(CHANNELS)
        self.attn = Attention()
        self.norm2 = nn.LayerNorm(CHANNELS)
        self.mlp = Mlp()

    def forward(self, x: Tensor) -> Tensor:
        return on_planes(x, self.folded())

    def folded(self) -> Folded:
        """The same weights in the order and with the scales that `on_planes` takes."""
        attn, mlp = self.attn, self.mlp
        qkv, qkv_shift = folded(attn.qkv, self.norm1)
        fc1, fc1_shift = folded(mlp.fc1, self.norm2)
        scale = torch.tensor([DEPTH**-0.5, 1.0, 1.0], device=qkv.device)
        by_head = (3, HEADS, DEPTH)
        bias = attn.relative_position_bias_table[attn.relative_position_index.flatten()]
        return Folded(
            qkv=(qkv.view(*by_head, CHANNELS).transpose(1, 2) * scale[:, None, None, None]).flatten(0, 2),
            qkv_shift=(qkv_shift.view(by_head).transpose(1, 2) * scale[:, None, None]).flatten(),
            bias=bias.view(WINDOW, WINDOW, HEADS).permute(1, 2, 0).unsqueeze(-1),
            proj=attn.proj.weight.view(CHANNELS, HEADS, DEPTH).transpose(1, 2).flatten(1),
            proj_shift=attn.proj.bias,
            fc1=fc1,
            fc1_shift=fc1_shift,
            fc2=mlp.fc2.weight,
            fc2_shift=mlp.fc2.bias,
        )


class Blocks(nn.Module):
    """Six blocks in a row, in which no window sees another: [b, 64, 4, rows, columns] to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))

    def forward(self, windows: Tensor) -> Tensor:
        x = windows.flatten(3)
        if windows.device.type != "cpu" or torch.compiler.is_compiling():
            x = self.through(x)
        else:  # a part at a time, which stays in the processor's cache
            x = torch.cat([self.through(part.contiguous()) for part in torch.split(x, CHUNK_WINDOWS, 3)], 3)
        return x.view_as(windows)

    def through(self, x: Tensor) -> Tensor:
        """[b, 64, 4, n] to the same, for any n windows."""
        for block in self.each():
            x = block(x)
        return x

    def each(self) -> list[Block]:
        """Its blocks, in order."""
        return cast(list[Block], list(self.blocks))


class Group(nn.Module):
    """Six blocks, a convolution, a residual around them: [b, 64, y, x] to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.residual_group = Blocks()
        self.resi_connection1 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.resi_connection1(to_pixels(self.residual_group(to_windows(x))))
        return y


class Embedding(nn.Module):
    """The norm after the first convolution, under its published name."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(CHANNELS)


class ERnet(nn.Module):
    """[b, 1, y, x] image from 0 to 1 (`streamer.networks.ernet_input`) to class logits [b, 4, y, x].

    With `probabilities` the output has passed a softmax over classes. 588,334 parameters under the 188
    published names; those of `conv_combine` compute nothing, but a published checkpoint has them. Height and
    width must be even; a pixel depends on 16x16 pixels, so even tiles with a halo of 8 are exact.
    Source: Lu et al., Nature Methods 20, 569 (2023), and its published code.
    """

    #: Seven pixels beyond the edge of a pixel's own window; even tiles need the next even number.
    reach_px = 7

    def __init__(self, *, probabilities: bool = False) -> None:
        super().__init__()
        self.probabilities = probabilities
        self.conv_first = nn.Conv2d(1, CHANNELS, 3, padding=1)
        self.patch_embed = Embedding()
        self.layers = nn.ModuleList(Group() for _ in range(GROUPS))
        self.norm = nn.LayerNorm(CHANNELS)
        self.conv_after_body = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.conv_before_upsample = nn.Sequential(
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.LeakyReLU(0.01)
        )
        self.conv_last = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.conv_combine = nn.Conv2d(1, 1, 3, padding=1)
        self.segmentation_decode = nn.Conv2d(CHANNELS, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv_first(x)
        x = normalised(first, self.patch_embed.norm)
        for group in self.groups():
            x = group(x)
        return self.head(x, first)

    def groups(self) -> list[Group]:
        """Its groups, in order."""
        return cast(list[Group], list(self.layers))

    def head(self, x: Tensor, first: Tensor) -> Tensor:
        """From what the groups give, [b, 64, y, x], and the first convolution's output to the classes."""
        x = self.conv_after_body(normalised(x, self.norm)) + first
        x = self.conv_before_upsample(x)
        # Nothing bends between the last two layers: they are one convolution to four channels.
        decode = self.segmentation_decode.weight.flatten(1)
        weight = (decode @ self.conv_last.weight.flatten(1)).view(CLASSES, CHANNELS, 3, 3)
        before, after = self.conv_last.bias, self.segmentation_decode.bias
        assert before is not None
        assert after is not None
        x = functional.conv2d(x, weight, after + decode @ before, padding=1)
        return torch.softmax(x, 1) if self.probabilities else x


def to_windows(x: Tensor) -> Tensor:
    """[b, c, y, x] to [b, c, 4, y / 2, x / 2]: the pixels of each 2x2 window as four planes."""
    rows_and_columns = torch.unflatten(torch.unflatten(x, 3, (-1, 2)), 2, (-1, 2))
    return rows_and_columns.permute(0, 1, 3, 5, 2, 4).flatten(2, 3)


def to_pixels(windows: Tensor) -> Tensor:
    """`to_windows` undone."""
    return torch.unflatten(windows, 2, (2, 2)).permute(0, 1, 4, 2, 5, 3).flatten(4).flatten(2, 3)


def standardised(x: Tensor, eps: float) -> Tensor:
    """Mean 0 and variance 1 over channels, the second axis."""
    centred = x - x.mean(1, keepdim=True)
    return centred * torch.rsqrt((centred * centred).mean(1, keepdim=True) + eps)


def normalised(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    """A LayerNorm over channels of [b, c, y, x]."""
    scaled = standardised(x, NORM_EPS) * norm.weight[:, None, None]
    return scaled + norm.bias[:, None, None]


def folded(linear: nn.Linear, norm: nn.LayerNorm) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer that takes over the scale and shift of the norm before it."""
    return linear.weight * norm.weight, linear.weight @ norm.bias + linear.bias


def on_planes(x: Tensor, weights: Folded) -> Tensor:
    """One block on n windows, [b, 64, 4, n] to the same."""
    qkv = pointwise(standardised(x, NORM_EPS), weights.qkv, weights.qkv_shift)
    queries, keys, values = torch.unflatten(qkv, 1, (3, DEPTH, HEADS)).unbind(1)  # [b, d, heads, 4, n] each
    logits = [dots(queries, keys[:, :, :, j : j + 1]) + weights.bias[j] for j in range(WINDOW)]
    mixed = mixture(logits, [values[:, :, :, j : j + 1] for j in range(WINDOW)])
    x = x + pointwise(mixed.flatten(1, 2), weights.proj, weights.proj_shift)
    hidden = functional.gelu(pointwise(standardised(x, NORM_EPS), weights.fc1, weights.fc1_shift))
    return x + pointwise(hidden, weights.fc2, weights.fc2_shift)


def pointwise(x: Tensor, weight: Tensor, shift: Tensor) -> Tensor:
    """A linear layer over the channels of [b, c, y, x]: a 1x1 convolution."""
    return functional.conv2d(x, weight[:, :, None, None], shift)


def dots(queries: Tensor, keys: Tensor) -> Tensor:
    """[b, d, heads, 4, n] and [b, d, heads, 1, n] to their dot products over d, [b, heads, 4, n]."""
    total = queries[:, 0] * keys[:, 0]
    for d in range(1, DEPTH):
        total = total + queries[:, d] * keys[:, d]
    return total


def mixture(logits: list[Tensor], values: list[Tensor]) -> Tensor:
    """Softmax over keys, then the values in that mixture: [b, heads, 4, n] each to [b, d, heads, 4, n]."""
    largest = torch.maximum(torch.maximum(logits[0], logits[1]), torch.maximum(logits[2], logits[3]))
    weights = [torch.exp(logit - largest) for logit in logits]
    share = 1.0 / (weights[0] + weights[1] + weights[2] + weights[3])
    mixed = (weights[0] * share).unsqueeze(1) * values[0]
    for weight, value in zip(weights[1:], values[1:], strict=True):
        mixed = mixed + (weight * share).unsqueeze(1) * value
    return mixed
