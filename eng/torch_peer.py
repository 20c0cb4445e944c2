#!/usr/bin/env python3
"""What PyTorch reaches on the first CUDA device: the yardstick of `Sfn.Bench suite`, which starts this script.

Prints one JSON object per line, as soon as it is known, so that a run that is stopped leaves what it has:
{"about": ...} once, then {"name": ..., "value": ...}: TFLOP/s of matrix products (bf16, tf32, fp32) and of causal attention ("attention DIM x TOKENS",
masked half not counted), and tokens/s of training ("train eager", "train compile"; the best of several batches).
"""
import argparse
import json
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F


def say(**line):
    print(json.dumps(line), flush=True)


def seconds(run, samples=7, least=0.02):
    """Median seconds of one run by CUDA events; a sample lasts `least` seconds or more."""
    for _ in range(3):
        run()
    torch.cuda.synchronize()

    def sample(times):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(times):
            run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3 / times

    times = max(1, min(100, int(least / max(sample(1), 1e-6))))
    return sorted(sample(times) for _ in range(samples))[samples // 2]


def product(name, side, dtype, tf32):
    torch.backends.cuda.matmul.allow_tf32 = tf32
    a = torch.randn(side, side, device="cuda", dtype=dtype)
    b = torch.randn(side, side, device="cuda", dtype=dtype)
    say(name=name, value=2 * side**3 / seconds(lambda: a @ b.t()) / 1e12)
    torch.backends.cuda.matmul.allow_tf32 = True


def attention(dim, full, scale):
    tokens = max(64, round(full * scale**0.5 / 64) * 64)
    batch, heads = max(1, round(16384 * scale) // tokens), 2048 // dim
    q, k, v = (torch.randn(batch, heads, tokens, dim, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    took = seconds(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True))
    say(name=f"attention {dim} x {full}", value=2 * batch * heads * tokens * tokens * dim / took / 1e12)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, cos, sin):
        b, t, w = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, w))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class Gpt(nn.Module):
    """The suite's model: rotary positions, pre-norm, GELU, tied head."""

    def __init__(self, vocabulary, width, layers, heads, context):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        dim = width // heads
        angles = torch.arange(context)[:, None] / 10000 ** (torch.arange(0, dim, 2) / dim)[None]
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        cos, sin = self.cos.to(torch.bfloat16), self.sin.to(torch.bfloat16)
        for block in self.blocks:
            x = block(x, cos, sin)
        logits = F.linear(self.norm(x), self.embedding.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def train(name, compiled, batches, scale):
    def size(full, power, multiple=1, least=0):
        return max(least, multiple, round(full * scale**power / multiple) * multiple)

    width, heads, layers = size(768, 0.5, 64), size(12, 0.5), size(12, 0.25)
    vocabulary, context = size(50304, 1, 64, 128), size(1024, 0.5, 32, 32)
    torch.manual_seed(1)
    model = Gpt(vocabulary, width, layers, heads, context).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    loss_of = torch.compile(model) if compiled else model
    best = 0.0
    for batch in batches:
        try:
            ids = torch.randint(vocabulary, (batch, context), device="cuda")
            targets = torch.randint(vocabulary, (batch, context), device="cuda")

            def step():
                with torch.autocast("cuda", torch.bfloat16):
                    loss = loss_of(ids, targets)
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)

            best = max(best, batch * context / seconds(step, samples=5, least=0.1))
            say(name=name, value=best)
        except torch.cuda.OutOfMemoryError:
            optimizer.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0)
    scale = parser.parse_args().scale
    if not torch.cuda.is_available():
        say(about=f"PyTorch {torch.__version__} without a CUDA device")
        return 1
    say(about=f"PyTorch {torch.__version__} on {torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}")
    side = max(64, round(8192 * scale**0.5 / 64) * 64)
    stages = [
        lambda: product("bf16", side, torch.bfloat16, True),
        lambda: product("tf32", side, torch.float32, True),
        lambda: product("fp32", side, torch.float32, False),
    ]
    stages += [lambda d=d, t=t: attention(d, t, scale) for d in (64, 128) for t in (2048, 4096, 8192)]
    stages += [lambda: train("train eager", False, (8, 16, 32, 64), scale), lambda: train("train compile", True, (32, 64), scale)]
    failed = 0
    for stage in stages:
        try:
            stage()
        except Exception as error:  # the other stages are worth having
            print(f"{type(error).__name__}: {error}".splitlines()[0], file=sys.stderr, flush=True)
            failed = 1
        torch.cuda.empty_cache()
    return failed


if __name__ == "__main__":
    sys.exit(main())
