"""Golden files of a small transformer: forward, every gradient, and three AdamW steps, per feedforward structure."""

from dataclasses import asdict, dataclass
from typing import Optional

import torch
import torch.nn.functional as F

import layers
from ops import attention, rms_norm, rope, swiglu
from storage import Draw, check_gradients


@dataclass(frozen=True)
class Config:
    """Layer 0 keeps a dense feedforward; the others use `structure`. Heads and widths follow the names."""
    name: str
    structure: str
    hidden: int
    ffn: int
    q_heads: int
    kv_heads: int
    head_dim: int
    context: int
    time: int
    blocks: Optional[int] = None
    rank: Optional[int] = None
    layers: int = 2
    vocab: int = 29
    batch: int = 2
    norm: str = "layernorm"         # or rmsnorm
    eps: float = 1e-5
    activation: str = "gelu-tanh"   # or swiglu: the up projection gives 2 ffn, [gate | value]
    positions: str = "rope"         # base 10000, halves rotated; or learned: added to the embedding
    bias: bool = True
    tied: bool = True
    seed: int = 1


CONFIGS = [
    Config("dense", "dense", hidden=16, ffn=40, q_heads=2, kv_heads=2, head_dim=8, context=10, time=10),
    Config("lowrank", "lowrank", hidden=16, ffn=44, q_heads=4, kv_heads=4, head_dim=4, context=12, time=11, rank=6),
    Config("blockdense", "blockdense", hidden=20, ffn=52, q_heads=2, kv_heads=2, head_dim=10, context=8, time=8, blocks=4, rank=12, seed=3),
    Config("blockshuffle", "blockshuffle", hidden=20, ffn=56, q_heads=2, kv_heads=2, head_dim=10, context=9, time=9, blocks=4, seed=6),
    Config("gqa", "lowrank", hidden=20, ffn=40, q_heads=4, kv_heads=2, head_dim=6, context=10, time=10, rank=7, seed=6),
    Config("swiglu", "blockshuffle", hidden=16, ffn=24, q_heads=2, kv_heads=2, head_dim=8, context=12, time=10, blocks=4, norm="rmsnorm",
           activation="swiglu", positions="learned", bias=False, tied=False, seed=7),
]

OPTIMIZER = {"lr": 1e-2, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.1, "clip": 1.0}


def structure_of(c, layer):
    return "dense" if layer == 0 else c.structure


def parameters(c):
    """Initial values by name. Larger than a real initialization, so that every term of every gradient shows in the numbers."""
    draw, p = Draw(3000 + c.seed), {}

    def norm(prefix):
        p[prefix + ".weight"] = draw.normal(c.hidden, mean=1, scale=0.2)
        if c.norm == "layernorm":
            p[prefix + ".bias"] = draw.normal(c.hidden, scale=0.2)

    def linear(prefix, structure, n, m):
        for name, shape in layers.shapes(structure, n, m, c.blocks, c.rank).items():
            p[f"{prefix}.{name}"] = draw.normal(*shape, scale=1.2 * shape[-1] ** -0.5)
        if c.bias:
            p[prefix + ".bias"] = draw.normal(m, scale=0.2)

    p["embedding.weight"] = draw.normal(c.vocab, c.hidden, scale=0.6)
    if c.positions == "learned":
        p["positions.weight"] = draw.normal(c.context, c.hidden, scale=0.4)
    for i in range(c.layers):
        b, width = f"blocks.{i}.", c.q_heads * c.head_dim
        norm(b + "norm1")
        linear(b + "attention.qkv", "dense", c.hidden, width + 2 * c.kv_heads * c.head_dim)
        linear(b + "attention.out", "dense", width, c.hidden)
        norm(b + "norm2")
        linear(b + "ffn.up", structure_of(c, i), c.hidden, c.ffn * (2 if c.activation == "swiglu" else 1))
        linear(b + "ffn.down", structure_of(c, i), c.ffn, c.hidden)
    norm("norm")
    if not c.tied:
        p["head.weight"] = draw.normal(c.vocab, c.hidden, scale=0.6)
    return p


def forward(c, p, tokens):
    """Logits [batch, time, vocab], and the intermediate values worth comparing when the logits are wrong."""
    seen = {}

    def norm(prefix, x):
        if c.norm == "rmsnorm":
            return rms_norm(x, p[prefix + ".weight"], c.eps)
        return F.layer_norm(x, (c.hidden,), p[prefix + ".weight"], p[prefix + ".bias"], c.eps)

    def linear(prefix, structure, x):
        weights = {name[len(prefix) + 1:]: value for name, value in p.items() if name.startswith(prefix + ".")}
        bias = weights.pop("bias", None)
        y = layers.apply(structure, x, weights)
        return y if bias is None else y + bias

    def heads(x, count):
        return x.view(c.batch, -1, count, c.head_dim).transpose(1, 2)

    def attend(prefix, x):
        width, kv = c.q_heads * c.head_dim, c.kv_heads * c.head_dim
        q, k, v = linear(prefix + ".qkv", "dense", x).split([width, kv, kv], dim=-1)
        q, k, v = heads(q, c.q_heads), heads(k, c.kv_heads), heads(v, c.kv_heads)
        if c.positions == "rope":
            q, k = rope(q), rope(k)
        y = attention(q, k, v).transpose(1, 2).reshape(c.batch, -1, width)
        return linear(prefix + ".out", "dense", y)

    def feedforward(prefix, structure, x):
        h = linear(prefix + ".up", structure, x)
        h = swiglu(h) if c.activation == "swiglu" else F.gelu(h, approximate="tanh")
        return linear(prefix + ".down", structure, h)

    x = F.embedding(tokens, p["embedding.weight"])
    if c.positions == "learned":
        x = x + p["positions.weight"][:tokens.shape[1]]
    seen["embedding"] = x
    for i in range(c.layers):
        b = f"blocks.{i}."
        seen[b + "attention"] = attend(b + "attention", norm(b + "norm1", x))
        x = x + seen[b + "attention"]
        seen[b + "ffn"] = feedforward(b + "ffn", structure_of(c, i), norm(b + "norm2", x))
        x = x + seen[b + "ffn"]
    seen["norm"] = norm("norm", x)
    return seen["norm"] @ (p["embedding.weight"] if c.tied else p["head.weight"]).T, seen


def loss_of(c, p, tokens, targets):
    logits, seen = forward(c, p, tokens)
    return F.cross_entropy(logits.view(-1, c.vocab), targets.view(-1), ignore_index=-100), logits, seen


def run(c, dtype):
    """The whole experiment in one precision: a dictionary of everything that goes into the file."""
    draw = Draw(4000 + c.seed)
    tokens, targets = draw.integers(c.vocab, c.batch, c.time), draw.integers(c.vocab, c.batch, c.time)
    targets[1, c.time // 2] = -100
    p = {name: value.to(dtype).requires_grad_() for name, value in parameters(c).items()}
    out = {"tokens": tokens, "targets": targets, **{"p0/" + name: value.detach().clone() for name, value in p.items()}}
    optimizer = torch.optim.AdamW(p.values(), lr=OPTIMIZER["lr"], betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]), eps=OPTIMIZER["eps"],
                                  weight_decay=OPTIMIZER["weight_decay"])
    losses, norms = [], []
    for step in range(1, 4):
        optimizer.zero_grad()
        loss, logits, seen = loss_of(c, p, tokens, targets)
        loss.backward()
        if step == 1:
            out["logits"] = logits
            out.update({"act/" + name: value for name, value in seen.items()})
            out.update({"grad/" + name: value.grad.clone() for name, value in p.items()})
            if dtype == torch.float64:
                check_gradients(c.name, lambda: loss_of(c, p, tokens, targets)[0], p, {name: value.grad for name, value in p.items()}, entries=2)
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(p.values(), OPTIMIZER["clip"]).item())
        optimizer.step()
        if step in (1, 3):
            out.update({f"p{step}/{name}": value.detach().clone() for name, value in p.items()})
    losses.append(loss_of(c, p, tokens, targets)[0].item())
    out["loss"], out["grad_norm"] = torch.tensor(losses, dtype=torch.float64), torch.tensor(norms, dtype=torch.float64)
    return out


def float32_errors(reference, single):
    """Largest absolute difference, per group of tensors, of PyTorch's own float32 run: how far apart two correct answers can lie."""
    worst = {}
    for name, value in reference.items():
        group = name.split("/")[0]
        if value.dtype == torch.float64:
            worst[group] = max(worst.get(group, 0.0), (single[name].double() - value).abs().max().item())
    return {group: worst[group] for group in ("logits", "grad", "p1", "p3", "loss")}


def check_usable(c, out, errors):
    """The file must exercise what it is for: clipping bites, the loss falls, and no gradient is so near zero that AdamW, which divides
    by its size, turns rounding into a visible difference. A configuration that fails needs another seed."""
    smallest = min(value[value != 0].abs().min().item() for name, value in out.items() if name.startswith("grad/"))
    assert (out["grad_norm"] > OPTIMIZER["clip"]).all() and out["loss"][3] < out["loss"][0], c.name
    assert smallest > 4e-6 and errors["p1"] < 3e-7 and errors["p3"] < 5e-6, f"{c.name}: smallest gradient {smallest}, float32 errors {errors}"
    return smallest


def files():
    """Yields (file name, tensors, config)."""
    for c in CONFIGS:
        out = run(c, torch.float64)
        errors = float32_errors(out, run(c, torch.float32))
        smallest = check_usable(c, out, errors)
        spread = ", ".join(f"{group} {error:.1e}" for group, error in errors.items())
        print(f"  {c.name}: losses {[round(v, 4) for v in out['loss'].tolist()]}, gradient norms {[round(v, 3) for v in out['grad_norm'].tolist()]}, "
              f"smallest gradient {smallest:.1e}; float32 differs by {spread}")
        config = {"kind": "model", **asdict(c), "optimizer": OPTIMIZER, "ignore_index": -100}
        config.pop("seed")
        yield "model-" + c.name, out, config
