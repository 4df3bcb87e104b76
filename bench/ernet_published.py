"""ERnet computed as its published code computes it: the oracle of ours, and what ours is timed against."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from streamer.networks import ERnet
from streamer.networks.ernet import CHANNELS, DEPTH, HEADS, WINDOW, Attention, Block

#: What the published mask holds between pixels of different regions; with windows of 2x2 there are none.
APART = -100.0


class Published(nn.Module):
    """The same network object, step by step as published: [b, 1, y, x] to class logits [b, 4, y, x].

    Tokens are pixels, [b, y x, 64]. Every block cuts them into windows and puts them together again, builds
    the mask of shifted windows for the image's size (all zeros, since nothing is shifted) and adds it.

    Args:
        network: whose weights it computes with.
        with_mask: False leaves the mask out, which is faster and gives the same numbers.
    """

    def __init__(self, network: ERnet, *, with_mask: bool = True) -> None:
        super().__init__()
        self.network, self.with_mask = network, with_mask

    def forward(self, image: Tensor) -> Tensor:
        net, size = self.network, (image.shape[2], image.shape[3])
        first = net.conv_first(image)
        x = net.patch_embed.norm(to_tokens(first))
        for group in net.groups():
            y = x
            for block in group.residual_group.each():
                y = self.block(block, y, size)
            x = x + to_tokens(group.resi_connection1(to_image(y, size)))
        x = net.conv_after_body(to_image(net.norm(x), size)) + first
        logits: Tensor = net.segmentation_decode(net.conv_last(net.conv_before_upsample(x)))
        return logits

    def block(self, block: Block, x: Tensor, size: tuple[int, int]) -> Tensor:
        """One block on tokens [b, y x, 64] of an image of `size`."""
        batch = x.shape[0]
        windows = partition(block.norm1(x).view(batch, *size, CHANNELS))
        mixed = attention(block.attn, windows, mask(size) if self.with_mask else None)
        x = x + reverse(mixed, batch, size).view(batch, -1, CHANNELS)
        hidden = functional.gelu(block.mlp.fc1(block.norm2(x)))
        y: Tensor = x + block.mlp.fc2(hidden)
        return y


def attention(attn: Attention, windows: Tensor, zeros: Tensor | None) -> Tensor:
    """[windows, 4, 64] to the same: queries, keys and values of each window, a bias by relative position."""
    count = windows.shape[0]
    parts = attn.qkv(windows).reshape(count, WINDOW, 3, HEADS, DEPTH).permute(2, 0, 3, 1, 4)
    queries, keys, values = parts[0], parts[1], parts[2]
    logits = (queries * DEPTH**-0.5) @ keys.transpose(-2, -1)  # [windows, heads, 4, 4]
    bias = attn.relative_position_bias_table[attn.relative_position_index.view(-1)]
    logits = logits + bias.view(WINDOW, WINDOW, HEADS).permute(2, 0, 1).contiguous().unsqueeze(0)
    if zeros is not None:
        by_image = logits.view(-1, zeros.shape[0], HEADS, WINDOW, WINDOW)
        logits = (by_image + zeros[:, None][None]).view(-1, HEADS, WINDOW, WINDOW)
    mixed = (logits.softmax(-1) @ values).transpose(1, 2).reshape(count, WINDOW, CHANNELS)
    found: Tensor = attn.proj(mixed)
    return found


def mask(size: tuple[int, int]) -> Tensor:
    """[windows, 4, 4]: the published mask of shifted windows, whose one region is the whole image here."""
    regions = torch.zeros(1, *size, 1)
    regions[:, slice(0, None), slice(0, None), :] = 8
    windows = partition(regions).view(-1, WINDOW)
    apart = windows.unsqueeze(1) - windows.unsqueeze(2)
    return apart.masked_fill(apart != 0, APART).masked_fill(apart == 0, 0.0)


def partition(x: Tensor) -> Tensor:
    """[b, y, x, c] to [windows, 4, c]."""
    batch, height, width, channels = x.shape
    windows = x.view(batch, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
    return windows.contiguous().view(-1, WINDOW, channels)


def reverse(windows: Tensor, batch: int, size: tuple[int, int]) -> Tensor:
    """`partition` undone: [b, y, x, c]."""
    height, width = size
    image = windows.view(batch, height // 2, width // 2, 2, 2, -1).permute(0, 1, 3, 2, 4, 5)
    return image.contiguous().view(batch, height, width, -1)


def to_tokens(image: Tensor) -> Tensor:
    """[b, c, y, x] to [b, y x, c]."""
    return image.flatten(2).transpose(1, 2)


def to_image(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """[b, y x, c] to [b, c, y, x]."""
    return tokens.transpose(1, 2).view(tokens.shape[0], -1, *size)


def labels_that_differ(found: Tensor, expected: Tensor) -> tuple[int, float]:
    """Pixels of [b, 4, y, x] with another label, and how close the two best classes are in the worst of them.

    Two orders of summation round differently, so a pixel whose two best classes are equal but for rounding
    may fall either way; any other pixel must not.
    """
    differs = found.argmax(1) != expected.argmax(1)
    best = expected.topk(2, dim=1).values
    margin = (best[:, 0] - best[:, 1])[differs]
    return int(differs.sum()), float(margin.max()) if margin.numel() else 0.0


def telling(seed: int, *, probabilities: bool = False) -> ERnet:
    """An ERnet with random weights whose classes all occur: none of the published weights are at hand.

    Weights are drawn wide enough that attention, biases and norms all matter to the output.
    """
    torch.manual_seed(seed)
    network = ERnet(probabilities=probabilities).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        image = torch.rand(1, 1, 48, 48)
        logits = Published(network)(image)
        network.segmentation_decode.bias.sub_(logits.mean((0, 2, 3)))  # type: ignore[union-attr]
    return network
