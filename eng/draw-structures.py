#!/usr/bin/env python3
"""Draws the pictures of docs/03-structured-layers.md (docs/images/*.svg).

    python3 eng/draw-structures.py            writes the files
    python3 eng/draw-structures.py --check    fails if a committed file differs
"""
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "docs/images"
INK, PALE, EMPTY = "#24292f", "#57606a", "#f3f4f6"
BLOCKS = ["#4c78a8", "#e07b39", "#54a24b", "#b279a2"]


class Svg:
    def __init__(self, width, height, title):
        self.head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
                     f'font-family="Helvetica, Arial, sans-serif" role="img" aria-label="{title}">')
        self.parts = [f'<rect width="{width}" height="{height}" fill="#ffffff"/>']

    def rect(self, x, y, w, h, fill, stroke=INK, thick=1.0, opacity=1.0):
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" fill="{fill}" fill-opacity="{opacity:g}" '
                          f'stroke="{stroke}" stroke-width="{thick:g}"/>')

    def text(self, x, y, s, size=13, fill=INK, anchor="middle", weight="normal"):
        self.parts.append(f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" font-weight="{weight}">{s}</text>')

    def line(self, x1, y1, x2, y2, color=PALE, thick=1.2):
        self.parts.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{color}" stroke-width="{thick:g}"/>')

    def curve(self, x1, y1, x2, y2, color, thick=2.0):
        m = (x1 + x2) / 2
        self.parts.append(f'<path d="M{x1:g},{y1:g} C{m:g},{y1:g} {m:g},{y2:g} {x2:g},{y2:g}" fill="none" stroke="{color}" stroke-width="{thick:g}"/>')

    def __str__(self):
        return "\n".join([self.head, *self.parts, "</svg>", ""])


def block_diagonal(svg, x, y, w, h, blocks):
    svg.rect(x, y, w, h, EMPTY)
    for i in range(blocks):
        svg.rect(x + w * i / blocks, y + h * i / blocks, w / blocks, h / blocks, BLOCKS[i], opacity=0.85)


def permutation(svg, x, y, n, l, scatter):
    """The n x n matrix of z[λ·r + ρ] = h[ρ·l + λ], or of its output twin y[σ·l + λ] = o[λ·s + σ]."""
    size, run = 72.0, n // l
    cell = size / n
    svg.rect(x, y, size, size, EMPTY)
    for i in range(l):
        for j in range(run):
            z, h = i * run + j, j * l + i
            row, column = (h, z) if scatter else (z, h)
            svg.rect(x + column * cell, y + row * cell, cell, cell, BLOCKS[i % len(BLOCKS)], stroke="none", thick=0)
    svg.rect(x, y, size, size, "none")


def structures():
    svg = Svg(760, 606, "LowRank, BlockDense and BlockShuffle as products of matrices")
    unit = 24                                   # N = 4 units wide, M = 6 units high

    def label(x, y, w, name, shape):
        svg.text(x + w / 2, y - 24, name, 15, weight="bold")
        svg.text(x + w / 2, y - 8, shape, 12, PALE)

    def title(y, s, formula):
        svg.text(20, y, s, 17, anchor="start", weight="bold")
        svg.text(20, y + 22, formula, 13, PALE, anchor="start")

    def dense(x, y):
        label(x, y, 4 * unit, "W", "M × N")
        svg.rect(x, y, 4 * unit, 6 * unit, "#8c959f", opacity=0.55)
        svg.text(x + 4 * unit + 22, y + 3 * unit + 6, "=", 20)

    x0, y0 = 190, 60
    title(y0 + 46, "LowRank", "R (N + M)")
    dense(x0, y0)
    label(x0 + 150, y0, 1.5 * unit, "U", "M × R")
    svg.rect(x0 + 150, y0, 1.5 * unit, 6 * unit, BLOCKS[0], opacity=0.85)
    svg.text(x0 + 208, y0 + 3 * unit + 6, "·", 24)
    label(x0 + 230, y0 + 2.25 * unit, 4 * unit, "A", "R × N")
    svg.rect(x0 + 230, y0 + 2.25 * unit, 4 * unit, 1.5 * unit, BLOCKS[1], opacity=0.85)

    y1 = y0 + 204
    title(y1 + 46, "BlockDense", "R (M + N / B)")
    dense(x0, y1)
    label(x0 + 150, y1, 3 * unit, "L", "M × R")
    svg.rect(x0 + 150, y1, 3 * unit, 6 * unit, BLOCKS[3], opacity=0.85)
    svg.text(x0 + 244, y1 + 3 * unit + 6, "·", 24)
    label(x0 + 266, y1 + 1.5 * unit, 4 * unit, "V", "B blocks of R/B × N/B")
    block_diagonal(svg, x0 + 266, y1 + 1.5 * unit, 4 * unit, 3 * unit, 2)

    y2 = y1 + 204
    title(y2 + 46, "BlockShuffle", "min(N, M) · (N + M) / B")
    size, x = 72, x0 + 150
    middle = y2 + 3 * unit - size / 2
    label(x0 + 24, middle, size, "W", "drawn for M = N")
    svg.rect(x0 + 24, middle, size, size, "#8c959f", opacity=0.55)
    svg.text(x0 + 4 * unit + 22, y2 + 3 * unit + 6, "=", 20)
    for name, shape, draw in [
            ("shuffle", "output", lambda x: permutation(svg, x, middle, 12, 3, True)),
            ("blkdiag2", "B blocks", lambda x: block_diagonal(svg, x, middle, size, size, 3)),
            ("shuffle", "middle", lambda x: permutation(svg, x, middle, 12, 3, False)),
            ("blkdiag1", "B blocks", lambda x: block_diagonal(svg, x, middle, size, size, 3))]:
        label(x, middle, size, name, shape)
        draw(x)
        x += size + 28
        if name != "blkdiag1":
            svg.text(x - 14, y2 + 3 * unit + 6, "·", 24)
    return svg


def six():
    svg = Svg(760, 392, "BlockShuffle from 6 to 6 with 3 blocks, wire by wire")
    top, step = 78, 46
    columns = {"x": 60, "h": 236, "z": 402, "o": 562, "y": 704}
    sub = "₀₁₂₃₄₅"
    heads = [("x", "input"), ("h", "after blkdiag1"), ("z", "after the middle shuffle"), ("o", "after blkdiag2"), ("y", "output")]
    for name, what in heads:
        svg.text(columns[name], 30, name, 17, weight="bold")
        svg.text(columns[name], 48, what, 12, PALE)
    at = lambda i: top + i * step
    radius = 15

    def blocks(left, right, name):
        for b in range(3):
            y = at(2 * b) - 19
            x1, x2 = columns[left] + 34, columns[right] - 34
            svg.rect(x1, y, x2 - x1, 2 * step - 8, BLOCKS[b], opacity=0.85)
            svg.text((x1 + x2) / 2, y + step + 1, f"{name}[{b}]", 14, "#ffffff", weight="bold")
            for i in (2 * b, 2 * b + 1):
                svg.line(columns[left] + radius, at(i), x1, at(i))
                svg.line(x2, at(i), columns[right] - radius, at(i))

    blocks("x", "h", "w1")
    blocks("z", "o", "w2")
    for i in range(6):
        lam, rho = i // 2, i % 2
        svg.curve(columns["h"] + radius, at(rho * 3 + lam), columns["z"] - radius, at(i), BLOCKS[lam])
        svg.curve(columns["o"] + radius, at(i), columns["y"] - radius, at(rho * 3 + lam), BLOCKS[lam])
    for name, x in columns.items():
        for i in range(6):
            svg.parts.append(f'<circle cx="{x}" cy="{at(i)}" r="{radius}" fill="#ffffff" stroke="{INK}"/>')
            text = f"{name}{sub[i]}" if name in "xhy" else f"{name}{sub[i // 2]}{sub[i % 2]}"
            svg.text(x, at(i) + 5, text, 13)
    svg.text(380, 372, "z[λ, ρ] = h[ρ·3 + λ], y[σ·3 + λ] = o[λ, σ]", 14, PALE)
    return svg


def merged():
    """Which of the entries of the merged 6 x 6 matrix can be non-zero, before and after sorting its rows by residue class."""
    svg = Svg(760, 330, "The merged 6 x 6 matrix of BlockShuffle with 3 blocks")
    cell = 36
    hit = lambda lam, kappa: any((2 * kappa + j) % 3 == lam for j in range(2))
    for x, title, order in [(110, "W as it is", list(range(6))), (450, "rows sorted by λ = row mod 3", [0, 3, 1, 4, 2, 5])]:
        svg.text(x + 3 * cell, 30, title, 15, weight="bold")
        for i, row in enumerate(order):
            svg.text(x - 16, 78 + i * cell, f"y{'₀₁₂₃₄₅'[row]}", 13)
            for column in range(6):
                on = hit(row % 3, column // 2)
                svg.rect(x + column * cell, 56 + i * cell, cell, cell, BLOCKS[row % 3] if on else EMPTY, stroke="#d0d7de", opacity=0.85 if on else 1)
        for column in range(6):
            svg.text(x + (column + 0.5) * cell, 290, f"x{'₀₁₂₃₄₅'[column]}", 13)
        svg.rect(x, 56, 6 * cell, 6 * cell, "none")
    for i in (1, 2):
        svg.line(450 + 2 * i * cell, 56, 450 + 2 * i * cell, 56 + 6 * cell, INK)
        svg.line(450, 56 + 2 * i * cell, 450 + 6 * cell, 56 + 2 * i * cell, INK)
    return svg


def main():
    check = "--check" in sys.argv
    differ = 0
    for name, draw in [("structures", structures), ("blockshuffle-6x6", six), ("blockshuffle-merged", merged)]:
        path, text = FOLDER / f"{name}.svg", str(draw())
        if check:
            same = path.exists() and path.read_text(encoding="utf-8") == text
            differ += not same
            if not same:
                print(f"{path} differs from what this script draws")
        else:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    sys.exit(1 if differ else 0)


main()
