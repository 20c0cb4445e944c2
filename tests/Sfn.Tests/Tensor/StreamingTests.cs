using Sfn.Backends.Cpu;
using Sfn.Kernels;
using Sfn.Ops;
using static Sfn.Tests.WalkerTests;

namespace Sfn.Tests;

using Sfn.Ops.Rows;

/// <summary>Results written past the caches have the same bits as ordinary ones, at every alignment, and nothing beside them is touched.</summary>
public unsafe class StreamingTests
{
    private const int Guard = 40;

    private delegate void Pass(float* result);

    // Offsets in floats from a cache line, and lengths about whole lanes.
    public static TheoryData<int, int> Places()
    {
        var places = new TheoryData<int, int>();
        foreach (int offset in (int[])[0, 1, 7, 15, 16])
            foreach (int n in (int[])[1, 5, 15, 16, 17, 63, 64, 65, 79, 80, 127, 1000, 1025]) places.Add(offset, n);
        return places;
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void Elementwise(int offset, int n)
    {
        float[] x = Random(n, 1), dy = Random(n, 2);
        fixed (float* px = x, pdy = dy)
        {
            float* a = px, b = pdy;
            Same(offset, n, y => MapWalker.Forward(new Gelu(), a, y, n));
            Same(offset, n, y => MapWalker.Backward(new Gelu(), a, null, b, y, n, accumulate: false));
            Same(offset, n, y => MapWalker.Backward(new Gelu(), a, null, b, y, n, accumulate: true));
        }
    }

    [Theory]
    [InlineData(0, 1, 1000)]
    [InlineData(3, 7, 256)]
    [InlineData(3, 7, 257)]
    [InlineData(15, 3, 1031)]
    [InlineData(9, 1100, 1000)]   // several chunks
    public void Two_inputs_and_rows(int offset, int rows, int cols)
    {
        int n = rows * cols;
        float[] x = Random(n, 3), dy = Random(n, 4), w = Random(cols, 5), bias = Random(cols, 6), s0 = Random(rows, 7), s1 = Random(rows, 8);
        fixed (float* px = x, pdy = dy, pw = w, pb = bias, ps0 = s0, ps1 = s1)
        {
            float* a = px, g = pdy, b = pw;
            Same(offset, n, y => ZipWalker.Forward(new SwiGlu(), a, g, y, rows, cols, cols, 1, cols, 1));
            Same(offset, n, y => ZipWalker.Forward(new Mul(), a, b, y, rows, cols, cols, 1, 0, 1));
            Same(offset, n, y => ZipWalker.BackwardA(new SwiGlu(), a, b, null, g, y, rows, cols, cols, 1, 0, 1));
            foreach (int gap in (int[])[0, 3, 64])
            {
                var args = new RowArgs
                {
                    A = px,
                    ARow = cols,
                    B = pw,
                    C = pb,
                    YRow = cols + gap,
                    Scalar0 = ps0,
                    Scalar1 = ps1,
                    Rows = rows,
                    Columns = cols,
                };
                int size = rows * (cols + gap);
                Same(offset, size, y => Rows(new Softmax(), args, y));
                Same(offset, size, y => Rows(new LogSoftmax(), args, y));
                Same(offset, size, y => Rows(new LogSumExpBackward(), args, y));
                Same(offset, size, y => Rows(new LayerNorm<WeightedBiased>(1e-5f), args, y));
                args.C = pdy;
                args.CRow = cols;
                Same(offset, size, y => Rows(new LayerNormBackward<Weighted>(), args, y));
                args.B = pdy;
                args.BRow = cols;
                Same(offset, size, y => Rows(new SoftmaxBackward(), args, y));
            }
        }
    }

    [Theory]
    [InlineData(1, 100)]
    [InlineData(9, 5000)]
    [InlineData(2, 70_000)]
    public void Cross_entropy(int rows, int classes)
    {
        float[] x = Random(rows * classes, 9);
        int[] targets = [.. Enumerable.Range(0, rows)];
        fixed (float* px = x)
        fixed (int* pt = targets)
        {
            float* a = px;
            int* t = pt;
            Same(0, rows * (classes + 1), y =>
            {
                Buffer.MemoryCopy(a, y, 4L * rows * classes, 4L * rows * classes);
                CrossEntropyWalker.Run(y, classes, t, y + rows * classes, rows, classes, -100, gradient: true, 1);
            });
        }
    }

    [Fact]
    public void A_result_in_place_of_an_input_is_not_streamed()
    {
        const int Rows = 3, Cols = 300;
        float[] x = Random(Rows * Cols, 10);
        fixed (float* px = x)
        {
            float* a = px;
            Same(1, x.Length, y =>
            {
                Buffer.MemoryCopy(a, y, 4L * Rows * Cols, 4L * Rows * Cols);
                RowWalker.Run(new Softmax(), new RowArgs { A = y, ARow = Cols, Y = y, YRow = Cols, Rows = Rows, Columns = Cols });
                MapWalker.Forward(new Exp(), y, y, Rows * Cols);
                ZipWalker.Forward(new Mul(), y, a, y, 1, Rows * Cols, 0, 1, 0, 1);
            });
        }
    }

    [Fact]
    public void Only_results_larger_than_the_last_cache_are_streamed()
    {
        Assert.InRange(Streaming.Threshold, 8 << 20, 64 << 20);
        Assert.False(Streaming.Pays(Streaming.Threshold / 4));
        Assert.True(Streaming.Pays(Streaming.Threshold / 4 + 1));
        Assert.False(Streaming.Pays(Streaming.Threshold, 100));
    }

    private static void Rows<TRow>(TRow op, RowArgs args, float* y) where TRow : struct, IRow
    {
        args.Y = y;
        RowWalker.Run(op, args);
    }

    private static void Same(int offset, int n, Pass pass)
    {
        float[] ordinary = new float[n + 2 * Guard + 16], streamed = new float[ordinary.Length];
        Array.Fill(ordinary, 42f);
        Array.Fill(streamed, 42f);
        long threshold = Streaming.Threshold;
        try
        {
            fixed (float* po = ordinary, ps = streamed)
            {
                Streaming.Threshold = long.MaxValue;
                pass(po + Guard);
                Streaming.Threshold = 0;
                // The first address of this distance from a line.
                float* at = ps + Streaming.Head(ps, 16) + offset % 16 + (offset & 16);
                pass(at);
                for (int i = 0; i < n + 8; i++)
                    Assert.True(BitConverter.SingleToInt32Bits(po[Guard + i]) == BitConverter.SingleToInt32Bits(at[i]), $"element {i} of {n}: {po[Guard + i]} and {at[i]}");
                for (float* p = ps; p < at; p++) Assert.Equal(42f, *p);
            }
        }
        finally
        {
            Streaming.Threshold = threshold;
        }
    }
}
