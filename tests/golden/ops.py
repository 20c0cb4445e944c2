"""Golden files of single operations: one file per operation, tensors named case<i>/<name>."""

import math

import torch
import torch.nn.functional as F

from storage import Draw, check_close, check_gradients


def layer_norm(x, weight, bias, eps):
    """(x - mean) / sqrt(variance + eps) * weight + bias over the last dimension, with the biased variance (divided by C)."""
    centred = x - x.mean(-1, keepdim=True)
    y = centred / torch.sqrt((centred * centred).mean(-1, keepdim=True) + eps) * weight
    return y if bias is None else y + bias


def rms_norm(x, weight, eps):
    """x / sqrt(mean(x^2) + eps) * weight over the last dimension."""
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def swiglu(x):
    """silu(first half) * second half of the last dimension."""
    gate, value = x.chunk(2, dim=-1)
    return F.silu(gate) * value


def rope(x, offset=0, base=10000.0):
    """Rotary positions, halves rotated (non-interleaved), x [..., T, D], D even. Row t is at position offset + t.

        angle[t, i] = (offset + t) * base^(-2 i / D),  i < D / 2
        y[i]         = x[i] cos - x[i + D/2] sin
        y[i + D/2]   = x[i + D/2] cos + x[i] sin
    """
    time, half = x.shape[-2], x.shape[-1] // 2
    frequencies = base ** (-2.0 * torch.arange(half, dtype=torch.float64) / x.shape[-1])
    angles = torch.outer(torch.arange(offset, offset + time, dtype=torch.float64), frequencies)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def attention(q, k, v, mask=None):
    """Causal softmax(q k^T / sqrt(D)) v. q [B, Hq, Tq, D], k and v [B, Hkv, Tk, D], mask [B, Tk] (true = this key may be seen).

    Query head h reads key/value head h // (Hq / Hkv). Query i stands at position Tk - Tq + i and sees the keys j <= Tk - Tq + i.
    """
    (_, heads, tq, d), (_, kv_heads, tk, _) = q.shape, k.shape
    k, v = k.repeat_interleave(heads // kv_heads, dim=1), v.repeat_interleave(heads // kv_heads, dim=1)
    visible = (torch.arange(tk)[None, :] <= torch.arange(tq)[:, None] + (tk - tq))[None, None]
    if mask is not None:
        visible = visible & mask[:, None, None, :]
    assert visible.any(-1).all(), "a query that sees no key has no defined result"
    scores = (q @ k.transpose(-1, -2) / math.sqrt(d)).masked_fill(~visible, -math.inf)
    return F.softmax(scores, dim=-1) @ v


def case(op, function, inputs, draw, extra=None, upstream=None, check=True):
    """Inputs, output y, upstream gradient g and the gradient d<name> of every input of one call."""
    for value in inputs.values():
        value.requires_grad_()
    y = function(*inputs.values())
    g = draw.normal(*y.shape) if upstream is None else upstream
    grads = dict(zip(inputs, torch.autograd.grad(y, list(inputs.values()), g)))
    if check:
        check_gradients(op, lambda: (function(*inputs.values()) * g).sum(), inputs, grads, tolerance=1e-5)
    return {**inputs, **(extra or {}), "y": y, "g": g, **{"d" + name: grad for name, grad in grads.items()}}


def elementwise(draw, function, op):
    wide = torch.linspace(-12, 12, 97, dtype=torch.float64)
    inputs = [wide, draw.normal(3, 5), draw.normal(2, 3, 17, scale=3), draw.normal(1)]
    return [({}, case(op, function, {"x": x}, draw)) for x in inputs]


def files():
    """Yields (file name, tensors, config)."""
    builders = {"softmax": softmax_cases, "log-softmax": log_softmax_cases, "layernorm": layer_norm_cases, "rmsnorm": rms_norm_cases,
                "gelu-tanh": lambda d: elementwise(d, lambda x: F.gelu(x, approximate="tanh"), "gelu-tanh"),
                "gelu-erf": lambda d: elementwise(d, lambda x: F.gelu(x), "gelu-erf"),
                "silu": lambda d: elementwise(d, F.silu, "silu"),
                "erf": lambda d: elementwise(d, torch.erf, "erf"),
                "swiglu": lambda d: [({}, case("swiglu", swiglu, {"x": d.normal(*s, scale=2)}, d)) for s in [(3, 10), (2, 3, 14), (1, 2)]],
                "cross-entropy": cross_entropy_cases, "attention": attention_cases, "rope": rope_cases}
    for seed, (op, build) in enumerate(builders.items()):
        tensors, options = {}, []
        for i, (option, values) in enumerate(build(Draw(2000 + seed))):
            tensors.update({f"case{i}/{name}": value for name, value in values.items()})
            options.append(option)
        yield "op-" + op, tensors, {"kind": "op", "op": op, "cases": options}


def softmax_cases(draw):
    """Over the last dimension: ragged rows, one element, rows far from zero, and masked entries (-inf gives exactly 0)."""
    softmax = lambda x: F.softmax(x, dim=-1)
    cases = [({}, case("softmax", softmax, {"x": draw.normal(*shape, scale=2)}, draw)) for shape in [(7,), (3, 13), (2, 3, 33), (4, 1)]]
    cases.append(({}, case("softmax", softmax, {"x": draw.normal(3, 11, scale=40, mean=500)}, draw)))
    masked = draw.normal(4, 9)
    masked[0, 5:] = masked[1, 0] = masked[2, ::2] = masked[3, 1:] = -math.inf
    cases.append(({"masked": True}, case("softmax", softmax, {"x": masked}, draw, check=False)))
    return cases


def log_softmax_cases(draw):
    log_softmax = lambda x: F.log_softmax(x, dim=-1)
    cases = [({}, case("log-softmax", log_softmax, {"x": draw.normal(*shape, scale=2)}, draw)) for shape in [(7,), (3, 13), (2, 3, 33), (4, 1)]]
    return cases + [({}, case("log-softmax", log_softmax, {"x": draw.normal(3, 11, scale=40, mean=500)}, draw))]


def layer_norm_cases(draw):
    """The last case has a mean a hundred times the spread, which loses a variance computed as E[x^2] - E[x]^2 in float32."""
    cases = []
    for shape, scale, mean, with_bias in [((3, 8), 1, 0, True), ((2, 3, 19), 2, 1, True), ((5, 33), 1, 0, False), ((4, 17), 1, 100, True)]:
        c = shape[-1]
        inputs = {"x": draw.normal(*shape, scale=scale, mean=mean), "weight": draw.normal(c, mean=1, scale=0.3)}
        if with_bias:
            inputs["bias"] = draw.normal(c, scale=0.3)
        function = lambda x, weight, bias=None: F.layer_norm(x, (c,), weight, bias, 1e-5)
        check_close("layernorm formula", layer_norm(inputs["x"], inputs["weight"], inputs.get("bias"), 1e-5), function(*inputs.values()), 1e-11)
        cases.append(({"eps": 1e-5}, case("layernorm", function, inputs, draw)))
    return cases


def rms_norm_cases(draw):
    return [({"eps": 1e-5}, case("rmsnorm", lambda x, weight: rms_norm(x, weight, 1e-5),
                                 {"x": draw.normal(*shape, scale=scale), "weight": draw.normal(shape[-1], mean=1, scale=0.3)}, draw))
            for shape, scale in [((3, 8), 1), ((2, 3, 19), 2), ((5, 33), 0.01), ((1, 1), 1)]]


def cross_entropy_cases(draw):
    """Mean over the rows whose target is not -100; x are the logits [rows, V], y and g scalars. `losses` has 0 in ignored rows."""
    cases = []
    for rows, v, scale, ignored in [(5, 7, 2, []), (6, 29, 3, [1, 5]), (3, 33, 60, [0]), (1, 2, 1, [])]:
        x, targets = draw.normal(rows, v, scale=scale), draw.integers(v, rows)
        targets[ignored] = -100
        extra = {"targets": targets, "losses": F.cross_entropy(x, targets, ignore_index=-100, reduction="none")}
        cases.append(({"ignore_index": -100}, case("cross-entropy", lambda x: F.cross_entropy(x, targets, ignore_index=-100), {"x": x}, draw, extra)))
    return cases


def attention_cases(draw):
    cases = []
    # batch, query heads, key/value heads, Tq, Tk, D, masked keys per batch row
    for b, hq, hkv, tq, tk, d, hidden in [
        (2, 2, 2, 5, 5, 8, None), (2, 4, 2, 7, 7, 6, None), (1, 6, 1, 9, 9, 5, None), (1, 1, 1, 1, 1, 3, None),
        (2, 4, 2, 6, 6, 4, [[4, 5], [2, 5]]),       # padding at the end; a hole in the middle
        (2, 4, 2, 3, 7, 6, [[], [0, 1]]),           # three new queries after four cached keys; padding in front
        (3, 3, 3, 1, 10, 4, [[], [0], [0, 1, 2]]),  # decoding one token
    ]:
        inputs = {"q": draw.normal(b, hq, tq, d), "k": draw.normal(b, hkv, tk, d), "v": draw.normal(b, hkv, tk, d)}
        mask, extra = None, {}
        if hidden is not None:
            mask = torch.ones(b, tk, dtype=torch.bool)
            for row, keys in enumerate(hidden):
                mask[row, keys] = False
            extra = {"mask": mask}
        cases.append(({"causal": True, "masked": mask is not None}, case("attention", lambda q, k, v: attention(q, k, v, mask), inputs, draw, extra)))
    return cases


def rope_cases(draw):
    return [({"base": 10000.0, "offset": offset}, case("rope", lambda x: rope(x, offset), {"x": draw.normal(*shape)}, draw))
            for shape, offset in [((2, 3, 5, 8), 0), ((1, 2, 7, 6), 0), ((1, 1, 3, 10), 37), ((2, 1, 1, 2), 4), ((5, 64), 100)]]
