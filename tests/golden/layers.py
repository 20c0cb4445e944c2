"""The four linear maps (dense, LowRank, BlockDense, BlockShuffle), each from its formula, and their golden files.

Weights are (out, in). N = in, M = out, T = tokens, B = blocks, R = rank.
"""

import torch

from storage import Draw, check_close, check_gradients


def shapes(structure, n, m, blocks, rank):
    """Weight names and shapes of a linear map n -> m."""
    if structure == "dense":
        return {"weight": (m, n)}
    if structure == "lowrank":
        return {"lr1": (rank, n), "lr2": (m, rank)}
    if structure == "blockdense":
        assert n % blocks == 0 and rank % blocks == 0
        return {"blkdiag": (blocks, rank // blocks, n // blocks), "lr": (m, rank)}
    assert structure == "blockshuffle" and n % blocks == 0 and m % blocks == 0
    i, o = n // blocks, m // blocks
    if n < m:
        return {"blkdiag1": (blocks, i, i), "blkdiag2": (blocks, o, i)}
    return {"blkdiag1": (blocks, o, i), "blkdiag2": (blocks, o, o)}


def apply(structure, x, w):
    """y [..., M] of x [..., N] with the weights in the dictionary w."""
    flat = x.reshape(-1, x.shape[-1])
    y = {"dense": lambda: flat @ w["weight"].T,
         "lowrank": lambda: (flat @ w["lr1"].T) @ w["lr2"].T,
         "blockdense": lambda: block_dense(flat, w["blkdiag"], w["lr"]),
         "blockshuffle": lambda: block_shuffle(flat, w["blkdiag1"], w["blkdiag2"])}[structure]()
    return y.reshape(*x.shape[:-1], y.shape[-1])


def block_dense(x, v, l):
    """H_k = X_k V_k^T, blocks concatenated in order; Y = H L^T."""
    blocks, _, p = v.shape
    h = torch.cat([x[:, k * p:(k + 1) * p] @ v[k].T for k in range(blocks)], dim=1)
    return h @ l.T


def block_shuffle(x, w1, w2):
    """BlockShuffle one channel at a time, straight from the index formulas; nothing here reshapes or transposes activations.

        h[t] = sum_c w1[k, j, c] x[k p + c]         t = k q + j
        z[L, rho] = h[rho l + L]                    gather with stride l
        y[sigma l + L] = sum_rho w2[L, sigma, rho] z[L, rho]        scatter with stride l
    """
    (k, q, p), (l, s, r) = w1.shape, w2.shape
    assert k * p == x.shape[1] and l * r == k * q
    h = [x[:, (t // q) * p:(t // q) * p + p] @ w1[t // q, t % q] for t in range(k * q)]
    y = [None] * (l * s)
    for lam in range(l):
        z = torch.stack([h[rho * l + lam] for rho in range(r)], dim=1)
        for sigma in range(s):
            y[sigma * l + lam] = z @ w2[lam, sigma]
    return torch.stack(y, dim=1)


def block_shuffle_reshaped(x, w1, w2):
    """The same map by views and transposes, to cross-check block_shuffle."""
    (k, q, p), (l, s, r) = w1.shape, w2.shape
    h = torch.einsum("tkp,kqp->tkq", x.view(-1, k, p), w1)
    z = h.reshape(-1, r, l).transpose(1, 2)
    return torch.einsum("tlr,lsr->tsl", z, w2).reshape(-1, s * l)


def merge(structure, w):
    """The dense M x N matrix of the map, from the formulas for the matrix rather than by pushing unit vectors through it."""
    if structure == "dense":
        return w["weight"].clone()
    if structure == "lowrank":
        return w["lr2"] @ w["lr1"]
    if structure == "blockdense":
        return w["lr"] @ torch.block_diag(*w["blkdiag"])
    w1, w2 = w["blkdiag1"], w["blkdiag2"]
    (k, q, p), (l, s, r) = w1.shape, w2.shape
    dense = torch.zeros(l * s, k * p, dtype=w1.dtype)
    for kappa in range(k):
        for j in range(q):
            t = kappa * q + j
            for sigma in range(s):
                dense[sigma * l + t % l, kappa * p:(kappa + 1) * p] += w2[t % l, sigma, t // l] * w1[kappa, j]
    return dense


def backward(structure, x, w, g):
    """Hand-written gradients, to cross-check autograd: a dictionary of dx and the weights' gradients."""
    if structure == "dense":
        return {"dx": g @ w["weight"], "weight": g.T @ x}
    if structure == "lowrank":
        h, dh = x @ w["lr1"].T, g @ w["lr2"]
        return {"dx": dh @ w["lr1"], "lr1": dh.T @ x, "lr2": g.T @ h}
    if structure == "blockdense":
        v, (b, rb, nb) = w["blkdiag"], w["blkdiag"].shape
        xs, dh = x.view(-1, b, nb), (g @ w["lr"]).view(-1, b, rb)
        h = torch.einsum("tbn,brn->tbr", xs, v).reshape(-1, b * rb)
        return {"dx": torch.einsum("tbr,brn->tbn", dh, v).reshape(x.shape), "blkdiag": torch.einsum("tbr,tbn->brn", dh, xs), "lr": g.T @ h}
    w1, w2 = w["blkdiag1"], w["blkdiag2"]
    (k, q, p), (l, s, r) = w1.shape, w2.shape
    xs = x.view(-1, k, p)
    z = torch.einsum("tkp,kqp->tkq", xs, w1).reshape(-1, r, l).transpose(1, 2)
    gs = g.view(-1, s, l).transpose(1, 2)
    dh = torch.einsum("tls,lsr->trl", gs, w2).reshape(-1, k, q)
    return {"dx": torch.einsum("tkq,kqp->tkp", dh, w1).reshape(x.shape), "blkdiag1": torch.einsum("tkq,tkp->kqp", dh, xs),
            "blkdiag2": torch.einsum("tls,tlr->lsr", gs, z)}


# structure, in, out, blocks, rank, tokens
CASES = [
    ("dense", 24, 36, None, None, 5), ("dense", 7, 3, None, None, 1),
    ("lowrank", 24, 36, None, 6, 5), ("lowrank", 36, 24, None, 6, 7), ("lowrank", 24, 24, None, 8, 4),
    ("lowrank", 13, 7, None, 3, 1), ("lowrank", 7, 17, None, 5, 9),
    ("blockdense", 24, 36, 4, 8, 5), ("blockdense", 36, 24, 3, 6, 7), ("blockdense", 24, 24, 2, 8, 4),
    ("blockdense", 15, 7, 5, 10, 3), ("blockdense", 10, 21, 1, 6, 6), ("blockdense", 6, 11, 6, 12, 1),
    # BlockShuffle, inner block width q divisible by the number of blocks:
    ("blockshuffle", 16, 48, 4, None, 5), ("blockshuffle", 48, 16, 4, None, 7), ("blockshuffle", 32, 32, 4, None, 3),
    ("blockshuffle", 25, 25, 5, None, 4), ("blockshuffle", 10, 15, 1, None, 6),
    # ... and not divisible (q = 6, 6, 6, 5, 5, 5, 1):
    ("blockshuffle", 24, 36, 4, None, 5), ("blockshuffle", 36, 24, 4, None, 7), ("blockshuffle", 24, 24, 4, None, 4),
    ("blockshuffle", 20, 36, 4, None, 1), ("blockshuffle", 36, 20, 4, None, 9), ("blockshuffle", 15, 21, 3, None, 8),
    ("blockshuffle", 6, 12, 6, None, 5),
]


def file_name(structure, n, m, blocks, rank, tokens):
    return f"layer-{structure}-{n}x{m}" + (f"-b{blocks}" if blocks else "") + (f"-r{rank}" if rank else "")


def files():
    """Yields (file name, tensors, config)."""
    for seed, case in enumerate(CASES):
        structure, n, m, blocks, rank, tokens = case
        name, draw = file_name(*case), Draw(1000 + seed)
        x, g = draw.normal(tokens, n), draw.normal(tokens, m)
        w = {key: draw.normal(*shape, scale=shape[-1] ** -0.5) for key, shape in shapes(structure, n, m, blocks, rank).items()}
        leaves = {"x": x, **w}
        for leaf in leaves.values():
            leaf.requires_grad_()
        y = apply(structure, x, w)
        grads = dict(zip(leaves, torch.autograd.grad(y, list(leaves.values()), g)))

        with torch.no_grad():
            merged = merge(structure, w)
            check_close(name + " merged", x @ merged.T, y)
            check_close(name + " dx by merged", g @ merged, grads["x"])
            by_hand = backward(structure, x, w, g)
            check_close(name + " dx", by_hand.pop("dx"), grads["x"])
            for key, value in by_hand.items():
                check_close(f"{name} d.{key}", value, grads[key])
            if structure == "blockshuffle":
                check_close(name + " reshaped", block_shuffle_reshaped(x, w["blkdiag1"], w["blkdiag2"]), y)
        check_gradients(name, lambda: (apply(structure, x, w) * g).sum(), leaves, grads)

        tensors = {"x": x, "y": y, "g": g, "dx": grads["x"], "merged": merged}
        for key in w:
            tensors[key], tensors["d." + key] = w[key], grads[key]
        yield name, tensors, {"kind": "layer", "structure": structure, "in": n, "out": m, "blocks": blocks, "rank": rank, "tokens": tokens}
