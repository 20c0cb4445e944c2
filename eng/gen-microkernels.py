#!/usr/bin/env python3
"""Writes the matrix-multiply micro-kernels (src/Sfn.Tensor/Backends/Cpu/Gemm/MicroKernels*.g.cs).

Accumulators must be named locals: the JIT keeps those in registers, while any array or stackalloc of vectors goes
through memory and runs four times slower. Hence a generator.

    python3 eng/gen-microkernels.py            writes the files
    python3 eng/gen-microkernels.py --check    fails if a committed file differs
"""
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "src/Sfn.Tensor/Backends/Cpu/Gemm"

# bits -> (tile shapes as rows x vectors, rows of x in the dot kernels)
SHAPES = {
    512: [(r, v) for r in (8, 4, 2, 1) for v in (3, 2, 1)],
    256: [(r, v) for r in (6, 4, 2, 1) for v in (2, 1)],
    128: [(8, 3), (8, 2), (8, 1), (5, 2), (5, 1)] + [(r, v) for r in (4, 2, 1) for v in (3, 2, 1)],
}
# Four rows of W against four of x need 16 accumulators; 16 registers hold four against two.
DOTS = {512: (4, 2, 1), 256: (2, 1), 128: (2, 1)}
ATTRIBUTE = "    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]"


def tile(bits, rows, vectors):
    """C[rows, vectors * width] (+)= alpha * A * B over kc; A by two strides, B by rows of step floats.

    Along the way the kernel asks for kc places of memory, ahead floats apart from next on, to be brought into the second-level cache.
    """
    w, vec = bits // 32, f"Vector{bits}"
    out = [ATTRIBUTE,
           f"    public static void Tile{rows}x{vectors}(long kc, float* a, long row, long col, float* b, long step, "
           "float* c, long ldc, float alpha, int accumulate, float* next, long ahead)", "    {"]
    for i in range(rows):
        out.append(f"        {vec}<float> " + ", ".join(f"c{i}{j} = {vec}<float>.Zero" for j in range(vectors)) + ";")
    if rows > 1:
        out.append("        if (Sse.IsSupported)")
        out.append("        {")
        for i in range(rows):
            for j in range(vectors * w // 16 or 1):
                off = f"{i} * ldc + {16 * j}" if i else f"{16 * j}"
                out.append(f"            Sse.Prefetch0(c + {off});")
        out.append("        }")
    # Four rows share one pointer and three strides, which leaves registers for everything else.
    for i in range(1, min(rows, 4)):
        out.append(f"        long s{i} = {i} * row;" if i > 1 else "        long s1 = row;")
    for g in range(4, rows, 4):
        out.append(f"        float* a{g} = a + {g} * row;")
    out.append("        for (; kc > 0; kc--)")
    out.append("        {")
    out.append("            if (Sse.IsSupported) Sse.Prefetch1(next);")
    out.append("            next += ahead;")
    for j in range(vectors):
        out.append(f"            var b{j} = {vec}.Load(b{f' + {w * j}' if j else ''});")
    for i in range(rows):
        base = "a" if i < 4 else f"a{i // 4 * 4}"
        load = f"{base}[s{i % 4}]" if i % 4 else f"*{base}"
        out.append(f"            var {'x' if i == 0 else f'x{i}'} = {vec}.Create({load});".replace("var x ", "var x0 "))
        for j in range(vectors):
            out.append(f"            c{i}{j} = {vec}.MultiplyAddEstimate(x{i}, b{j}, c{i}{j});")
    for g in range(0, rows, 4):
        out.append(f"            a{g or ''} += col;")
    out.append("            b += step;")
    out.append("        }")
    out.append(f"        var scale = {vec}.Create(alpha);")
    out.append("        if (accumulate != 0)")
    out.append("        {")
    for i in range(rows):
        for j in range(vectors):
            at = f"c + {w * j}" if j else "c"
            out.append(f"            {vec}.MultiplyAddEstimate(c{i}{j}, scale, {vec}.Load({at})).Store({at});")
        if i + 1 < rows:
            out.append("            c += ldc;")
    out.append("        }")
    out.append("        else")
    out.append("        {")
    for i in range(rows):
        for j in range(vectors):
            out.append(f"            (c{i}{j} * scale).Store({f'c + {w * j}' if j else 'c'});")
        if i + 1 < rows:
            out.append("            c += ldc;")
    out.append("        }")
    out.append("    }")
    return out


def dot(bits, rows):
    """y[i, 0..3] = x[i, :] . w[0..3, :]; the tail of K is added element by element."""
    w, vec = bits // 32, f"Vector{bits}"
    out = [ATTRIBUTE,
           f"    public static void Dot{rows}x4(long k, float* x, long ldx, float* w, long ldw, float* y, long ldy)", "    {"]
    for i in range(rows):
        out.append(f"        {vec}<float> " + ", ".join(f"c{i}{j} = {vec}<float>.Zero" for j in range(4)) + ";")
    for i in range(1, rows):
        out.append(f"        float* x{i} = x + {i} * ldx;")
    for j in range(1, 4):
        out.append(f"        float* w{j} = w + {j} * ldw;")
    out.append("        long p = 0;")
    out.append(f"        for (; p + {w} <= k; p += {w})")
    out.append("        {")
    for i in range(rows):
        out.append(f"            var a{i} = {vec}.Load(x{i or ''} + p);")
    for j in range(4):
        out.append(f"            var b{j} = {vec}.Load(w{j or ''} + p);")
        for i in range(rows):
            out.append(f"            c{i}{j} = {vec}.MultiplyAddEstimate(a{i}, b{j}, c{i}{j});")
    out.append("        }")
    for i in range(rows):
        out.append(f"        var r{i} = GemmReduce.Sum4(c{i}0, c{i}1, c{i}2, c{i}3);")
    out.append("        for (; p < k; p++)")
    out.append("        {")
    out.append("            var b = Vector128.Create(*(w + p), w1[p], w2[p], w3[p]);")
    for i in range(rows):
        out.append(f"            r{i} = Vector128.MultiplyAddEstimate(Vector128.Create(x{i or ''}[p]), b, r{i});")
    out.append("        }")
    for i in range(rows):
        out.append(f"        r{i}.Store(y{f' + {i} * ldy' if i > 1 else ' + ldy' if i else ''});")
    out.append("    }")
    return out


def file(bits):
    out = ["// <auto-generated>eng/gen-microkernels.py writes this file; change the script, not the file.</auto-generated>",
           "#nullable enable", "using System.Runtime.CompilerServices;", "using System.Runtime.Intrinsics;",
           "using System.Runtime.Intrinsics.X86;", "", "namespace Sfn.Backends.Cpu;", "",
           f"/// <summary>Register tiles of {bits}-bit vectors: TileRxV is R rows by V vectors; Dot is for few rows of x.</summary>",
           f"internal static unsafe class MicroKernels{bits}", "{"]
    methods = [tile(bits, r, v) for r, v in SHAPES[bits]] + [dot(bits, r) for r in DOTS[bits]]
    for n, m in enumerate(methods):
        out += ([""] if n else []) + m
    return "\n".join(out + ["}", ""])


def main():
    stale = []
    for bits in SHAPES:
        path, text = FOLDER / f"MicroKernels{bits}.g.cs", file(bits)
        if "--check" in sys.argv:
            if not path.exists() or path.read_text() != text:
                stale.append(path.name)
        else:
            path.write_text(text)
    if stale:
        sys.exit(f"out of date: {', '.join(stale)}; run eng/gen-microkernels.py")


main()
