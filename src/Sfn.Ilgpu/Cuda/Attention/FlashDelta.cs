namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>
/// D = rowsum(dO ∘ O) of every row, and what is added to its scores: −lse · log2 e, −∞ for a row without keys, whose weights are then
/// 2^−∞ = 0. A power of two of lanes shares a row, each takes 16 bytes.
/// </summary>
internal static class FlashDelta
{
    /// <summary>Lanes per row.</summary>
    public static int Lanes(int dim) => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)(dim / 8));

    /// <summary>The text of one kernel.</summary>
    public static string Build(FlashKernel kernel)
    {
        var w = new PtxWriter(kernel.Name, FlashKernel.Threads, kernel.Blocks);
        var p = new FlashFields(w);
        int lanes = Lanes(kernel.Dim);
        string thread = w.U32("thread"), row = w.U32("row"), part = w.U32("part"), head = w.U32("head"), batch = w.U32("batch"), token = w.U32("token");
        string inside = w.Predicate("inside"), takes = w.Predicate("takes"), part64 = w.U64("part64");
        w.Op($"mov.u32 {thread}, %tid.x");
        w.Op($"mov.u32 {row}, %ctaid.x");
        w.Op($"mul.lo.u32 {row}, {row}, {FlashKernel.Threads / lanes}");
        w.Op($"shr.u32 {part}, {thread}, {System.Numerics.BitOperations.Log2((uint)lanes)}");
        w.Op($"add.u32 {row}, {row}, {part}");
        w.Op($"and.b32 {part}, {thread}, {lanes - 1}");
        w.Op($"setp.lt.u32 {inside}, {row}, {p[nameof(FlashParameters.Total)]}");
        w.Op($"setp.lt.and.u32 {takes}, {part}, {kernel.Dim / 8}, {inside}");
        w.Op($"rem.u32 {token}, {row}, {p[nameof(FlashParameters.Tq)]}");
        w.Op($"div.u32 {head}, {row}, {p[nameof(FlashParameters.Tq)]}");
        w.Op($"div.u32 {batch}, {head}, {p[nameof(FlashParameters.Heads)]}");
        w.Op($"rem.u32 {head}, {head}, {p[nameof(FlashParameters.Heads)]}");
        string o = FlashBlock.Row(w, p.Head("O", batch, head), p[nameof(FlashParameters.OToken)], token);
        string gradient = FlashBlock.Row(w, p.Head("DO", batch, head), p[nameof(FlashParameters.DOToken)], token);
        w.Op($"mul.wide.u32 {part64}, {part}, 16");
        w.Op($"add.u64 {o}, {o}, {part64}");
        w.Op($"add.u64 {gradient}, {gradient}, {part64}");
        string[] a = w.U32("a", 4), b = w.U32("b", 4);
        string sum = w.F32("sum"), x = w.F32("x"), y = w.F32("y");
        foreach (string register in a.Concat(b)) w.Op($"mov.b32 {register}, 0");
        w.Op(takes, $"ld.global.v4.b32 {PtxWriter.Vector(a)}, [{o}]");
        w.Op(takes, $"ld.global.v4.b32 {PtxWriter.Vector(b)}, [{gradient}]");
        w.Op($"mov.f32 {sum}, {PtxWriter.Constant(0f)}");
        for (int i = 0; i < 8; i++)
        {
            foreach (var (from, to) in new[] { (a[i / 2], x), (b[i / 2], y) })
            {
                string bits = w.U32("bits");
                w.Op(i % 2 == 0 ? $"shl.b32 {bits}, {from}, 16" : $"and.b32 {bits}, {from}, 0xffff0000");
                w.Op($"mov.b32 {to}, {bits}");
            }
            w.Op($"fma.rn.f32 {sum}, {x}, {y}, {sum}");
        }
        for (int distance = 1; distance < lanes; distance *= 2)
        {
            w.Op($"shfl.sync.bfly.b32 {x}, {sum}, {distance}, 31, 0xffffffff");
            w.Op($"add.rn.f32 {sum}, {sum}, {x}");
        }
        string first = w.Predicate("first"), none = w.Predicate("none"), index = w.U64("index"), address = w.U64("address");
        w.Op($"setp.eq.and.u32 {first}, {part}, 0, {inside}");
        w.Op($"mul.wide.u32 {index}, {row}, 4");
        using (w.If(first, "end"))
        {
            w.Op($"add.u64 {address}, {index}, {p[nameof(FlashParameters.Delta)]}");
            w.Op($"st.global.f32 [{address}], {sum}");
            w.Op($"add.u64 {address}, {index}, {p[nameof(FlashParameters.Lse)]}");
            w.Op($"ld.global.f32 {x}, [{address}]");
            w.Op($"mul.rn.f32 {y}, {x}, {PtxWriter.Constant(-1.44269504f)}");
            w.Op($"setp.eq.f32 {none}, {x}, {FlashMath.NegativeInfinity}");
            w.Op(none, $"mov.f32 {y}, {FlashMath.NegativeInfinity}");
            w.Op($"add.u64 {address}, {index}, {p[nameof(FlashParameters.Shift)]}");
            w.Op($"st.global.f32 [{address}], {y}");
        }
        w.Op("ret");
        return w.ToString();
    }
}
