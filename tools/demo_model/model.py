"""The network as plain PyTorch of fixed shapes, with the parameter names of ``LlavaForConditionalGeneration``.

Fixed shapes let the whole training step become one CUDA graph; the names let transformers load the weights.
A test compares the logits with transformers' own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

from demo_model.optim import working
from demo_model.tokens import IMG, PATCH, PATCHES, VOCABULARY
from evalkit.demo.questions.draw import SIDE

TEXT = {"hidden": 256, "intermediate": 512, "heads": 8, "pairs": 4, "layers": 8}
VISION = {"hidden": 192, "intermediate": 512, "heads": 6, "layers": 5}
THETA = 10_000.0
MEAN, DEVIATION = 0.5, 0.5
"""Of the pixels, as the image processor is told too."""


class Norm(nn.Module):
    """Root-mean-square norm, computed in 32 bits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normed ``x``, in its own type."""
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-5)
        return (wide * self.weight.float()).to(x.dtype)


class Attention(nn.Module):
    """Self-attention with rotary positions; ``pairs`` key-value heads."""

    def __init__(self, width: int, heads: int, pairs: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.pairs, self.causal = heads, pairs, causal
        self.head = width // heads
        self.q_proj = nn.Linear(width, heads * self.head, bias=False)
        self.k_proj = nn.Linear(width, pairs * self.head, bias=False)
        self.v_proj = nn.Linear(width, pairs * self.head, bias=False)
        self.o_proj = nn.Linear(heads * self.head, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Mixed positions of ``x`` [rows, length, width]; the angles are those of the positions."""
        rows, length, _ = x.shape
        q = self.q_proj(x).view(rows, length, self.heads, self.head).transpose(1, 2)
        k = self.k_proj(x).view(rows, length, self.pairs, self.head).transpose(1, 2)
        v = self.v_proj(x).view(rows, length, self.pairs, self.head).transpose(1, 2)
        q, k = turn(q, cos, sin), turn(k, cos, sin)
        if self.pairs != self.heads:
            k = k.repeat_interleave(self.heads // self.pairs, dim=1)
            v = v.repeat_interleave(self.heads // self.pairs, dim=1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.o_proj(mixed.transpose(1, 2).reshape(rows, length, -1))


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate pairs of features by their position's angle."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return (x * cos + turned * sin).to(x.dtype)


class Gated(nn.Module):
    """The feed-forward part: silu gate."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Each position on its own."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class TextLayer(nn.Module):
    """One layer of the language model."""

    def __init__(self) -> None:
        super().__init__()
        width = TEXT["hidden"]
        self.input_layernorm = Norm(width)
        self.self_attn = Attention(width, TEXT["heads"], TEXT["pairs"], causal=True)
        self.post_attention_layernorm = Norm(width)
        self.mlp = Gated(width, TEXT["intermediate"])

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """The layer's output."""
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class VisionLayer(nn.Module):
    """One layer of the vision tower."""

    def __init__(self) -> None:
        super().__init__()
        width = VISION["hidden"]
        self.attention_norm = Norm(width)
        self.attention = Attention(width, VISION["heads"], VISION["heads"], causal=False)
        self.ffn_norm = Norm(width)
        self.feed_forward = Gated(width, VISION["intermediate"])

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """The layer's output."""
        x = x + self.attention(self.attention_norm(x), cos, sin)
        return x + self.feed_forward(self.ffn_norm(x))


class Projector(nn.Module):
    """From the tower's width to the language model's."""

    def __init__(self) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(VISION["hidden"], TEXT["hidden"])
        self.linear_2 = nn.Linear(TEXT["hidden"], TEXT["hidden"])

    def forward(self, x: Tensor) -> Tensor:
        """Picture features as the language model reads them."""
        return self.linear_2(F.gelu(self.linear_1(x)))


def line_angles(length: int, head: int) -> Tensor:
    """Angles of positions on a line, [length, head]."""
    steps = THETA ** -(torch.arange(0, head, 2, dtype=torch.float32) / head)
    angles = torch.arange(length, dtype=torch.float32)[:, None] * steps
    return torch.cat((angles, angles), dim=-1)


def grid_angles(side: int, head: int) -> Tensor:
    """Angles of places on a square grid, rows on even steps and columns on odd ones, [side * side, head]."""
    steps = THETA ** -(torch.arange(0, head, 2, dtype=torch.float32) / head)
    place = torch.arange(side * side)
    down = (place // side).float()[:, None] * steps[0::2]
    across = (place % side).float()[:, None] * steps[1::2]
    both = torch.cat((down, across), dim=-1)
    return torch.cat((both, both), dim=-1)


class Tower(nn.Module):
    """The vision tower: patches, norm, layers. Pixels come as uint8 [n, SIDE, SIDE, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_conv = nn.Conv2d(3, VISION["hidden"], PATCH, PATCH, bias=False)
        self.ln_pre = Norm(VISION["hidden"])
        self.transformer = nn.Module()
        self.transformer.layers = nn.ModuleList(VisionLayer() for _ in range(VISION["layers"]))
        angles = grid_angles(SIDE // PATCH, VISION["hidden"] // VISION["heads"])
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of every patch [pictures, PATCHES, width]."""
        count, side = pixels.shape[0], SIDE // PATCH
        scaled = (pixels.to(working(pixels)) / 255 - MEAN) / DEVIATION
        patches = scaled.view(count, side, PATCH, side, PATCH, 3).permute(0, 1, 3, 5, 2, 4)
        patches = patches.reshape(count, PATCHES, 3 * PATCH * PATCH)
        x = F.linear(patches.to(self.patch_conv.weight.dtype), self.patch_conv.weight.flatten(1))
        x = self.ln_pre(x)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        for layer in self.transformer.layers:
            x = layer(x, cos, sin)
        return x


class Network(nn.Module):
    """The whole model; ``forward`` gives logits [rows, length, VOCABULARY]."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.model = nn.Module()
        self.model.vision_tower = Tower()
        self.model.multi_modal_projector = Projector()
        language = nn.Module()
        language.embed_tokens = nn.Embedding(VOCABULARY, TEXT["hidden"])
        language.layers = nn.ModuleList(TextLayer() for _ in range(TEXT["layers"]))
        language.norm = Norm(TEXT["hidden"])
        self.model.language_model = language
        self.lm_head = nn.Linear(TEXT["hidden"], VOCABULARY, bias=False)
        angles = line_angles(length, TEXT["hidden"] // TEXT["heads"])
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self._start()

    def _start(self) -> None:
        depth = (2 * TEXT["layers"]) ** -0.5
        for name, weight in self.named_parameters():
            if weight.dim() < 2:
                continue
            small = depth if name.endswith(("o_proj.weight", "down_proj.weight")) else 1.0
            fan = weight[0].numel()
            spread = 0.02 if "embed" in name or "lm_head" in name else small * fan**-0.5 * 0.7
            nn.init.normal_(weight, std=spread)
        nn.init.zeros_(self.model.multi_modal_projector.linear_1.bias)
        nn.init.zeros_(self.model.multi_modal_projector.linear_2.bias)

    def forward(self, ids: Tensor, pixels: Tensor, offsets: Tensor) -> Tensor:
        """Logits.

        Args:
            ids: Token ids [rows, length], padded on the right.
            pixels: Every row's pictures in order, uint8 [pictures, SIDE, SIDE, 3].
            offsets: For each row, how many pictures the rows before it have [rows].
        """
        language = self.model.language_model
        x = language.embed_tokens(ids).to(working(ids))
        if pixels.shape[0]:
            seen = self.model.multi_modal_projector(self.model.vision_tower(pixels)).flatten(0, 1)
            shown = ids == IMG
            place = shown.long().cumsum(1) - 1 + offsets[:, None] * PATCHES
            # Where no picture is, any patch will do; different ones, since gradients of equal indices queue up.
            spread = torch.arange(ids.numel(), device=ids.device).view_as(ids) % seen.shape[0]
            place = torch.where(shown, place, spread)
            x = torch.where(shown[..., None], seen[place].to(x.dtype), x)
        length = ids.shape[1]
        cos, sin = self.cos[:length].to(x.dtype), self.sin[:length].to(x.dtype)
        for layer in language.layers:
            x = layer(x, cos, sin)
        return self.lm_head(language.norm(x))
