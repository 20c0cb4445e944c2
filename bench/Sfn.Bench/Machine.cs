using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Sfn.Backends;
using Sfn.Backends.Cpu;

namespace Sfn.Bench;

/// <summary>The limits of this machine, measured with the threads that the kernels use.</summary>
internal static unsafe class Machine
{
    private const long Stream = 16 << 20;   // floats per array: 64 MB, beyond any L3 share of two cores
    private static float* s_a, s_b;
    private static float s_sink;
    private static int s_bestThreads;

    /// <summary>FMA rate in FLOP/s at the widest vectors, for about <paramref name="seconds"/>.</summary>
    public static double Peak(double seconds)
    {
        long rounds = 20_000;
        double rate = 0;
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed.TotalSeconds < seconds || rate == 0)
        {
            var job = new PeakJob(rounds);
            long began = Stopwatch.GetTimestamp();
            CpuPool.Run(job, CpuPool.Threads);
            double took = Stopwatch.GetElapsedTime(began).TotalSeconds;
            rate = Math.Max(rate, job.Flops * CpuPool.Threads / took);
            if (took < seconds / 8) rounds *= 2;
        }
        BestPeak = CpuPool.Threads == s_bestThreads ? Math.Max(BestPeak, rate) : rate;
        s_bestThreads = CpuPool.Threads;
        return rate;
    }

    /// <summary>The largest result of <see cref="Peak"/> so far with the present number of threads.</summary>
    public static double BestPeak { get; private set; }

    /// <summary>Bytes per second of a copy with non-temporal stores, reads and writes counted.</summary>
    public static double CopyBandwidth() => Best(2, static (a, b, n) => Copy(a, b, n));

    /// <summary>
    /// Bytes per second of reading: the fastest of plain loads, loads with lines fetched ahead, and four streams, each in pieces of 256 KB and of 4 MB.
    /// </summary>
    public static double ReadBandwidth()
    {
        double best = 0;
        for (int i = 0; i < 5; i++) best = Math.Max(best, ReadBandwidthNow());
        return best;
    }

    /// <summary>The same from one pass of each kind (some milliseconds), to stand beside a measurement.</summary>
    public static double ReadBandwidthNow()
    {
        Prepare();
        return ReadBandwidthNow(s_a, s_b, Stream);
    }

    /// <summary>The same from memory that a kernel reads, for pages lie differently: two arrays of n floats, 64 MB or more each.</summary>
    public static double ReadBandwidthNow(float* a, float* b, long n)
    {
        double best = 0;
        Kernel[] kinds =
        [
            static (a, b, n) => s_sink += Read(a, n, ahead: false), static (a, b, n) => s_sink += Read(a, n, ahead: true), static (a, b, n) => s_sink += ReadFour(a, n),
        ];
        foreach (long piece in new[] { 65536L, 1 << 20 })
        {
            foreach (var kind in kinds)
            {
                // The arrays take turns: what one pass leaves in a cache is gone when the next pass over the same array begins.
                best = Math.Max(best, Rate(1, kind, piece, a, b, n));
                float* other = a;
                a = b;
                b = other;
            }
        }
        return best;
    }

    private delegate void Kernel(float* a, float* b, long n);

    private static double Best(int streams, Kernel kernel)
    {
        Prepare();
        var rates = new List<double>();
        for (int i = 0; i < 9; i++) rates.Add(Rate(streams, kernel, Stream / (CpuPool.Threads * 8) / 64 * 64, s_a, s_b, Stream));
        rates.Sort();
        return rates[^2];
    }

    private static void Prepare()
    {
        if (s_a != null) return;
        s_a = (float*)HostMemory.Allocate(Stream * 4);
        s_b = (float*)HostMemory.Allocate(Stream * 4);
        new Span<float>(s_a, (int)Stream).Fill(1);
        new Span<float>(s_b, (int)Stream).Fill(1);
    }

    private static double Rate(int streams, Kernel kernel, long piece, float* a, float* b, long n)
    {
        long began = Stopwatch.GetTimestamp(), pieces = n / piece;
        CpuPool.Run(new StreamJob(kernel, piece, a, b), (int)pieces);
        return streams * piece * pieces * 4 / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private sealed class StreamJob(Kernel kernel, long piece, float* a, float* b) : CpuJob
    {
        public override void Run(int chunk) => kernel(a + chunk * piece, b + chunk * piece, piece);
    }

    private sealed class PeakJob(long rounds) : CpuJob
    {
        public double Flops => rounds * (Vector512.IsHardwareAccelerated ? 16.0 * 32 : Vector256.IsHardwareAccelerated ? 12.0 * 16 : 12.0 * 8);

        public override void Run(int chunk)
            => s_sink += Vector512.IsHardwareAccelerated ? Fma512(rounds) : Vector256.IsHardwareAccelerated ? Fma256(rounds) : Fma128(rounds);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Fma512(long n)
    {
        var x = Vector512.Create(1.0000001f);
        var y = Vector512.Create(0.9999999f);
        Vector512<float> a0 = x, a1 = x, a2 = x, a3 = x, a4 = x, a5 = x, a6 = x, a7 = x, b0 = x, b1 = x, b2 = x, b3 = x, b4 = x, b5 = x, b6 = x, b7 = x;
        for (long i = 0; i < n; i++)
        {
            a0 = Vector512.FusedMultiplyAdd(x, y, a0); a1 = Vector512.FusedMultiplyAdd(x, y, a1); a2 = Vector512.FusedMultiplyAdd(x, y, a2);
            a3 = Vector512.FusedMultiplyAdd(x, y, a3);
            a4 = Vector512.FusedMultiplyAdd(x, y, a4); a5 = Vector512.FusedMultiplyAdd(x, y, a5); a6 = Vector512.FusedMultiplyAdd(x, y, a6);
            a7 = Vector512.FusedMultiplyAdd(x, y, a7);
            b0 = Vector512.FusedMultiplyAdd(x, y, b0); b1 = Vector512.FusedMultiplyAdd(x, y, b1); b2 = Vector512.FusedMultiplyAdd(x, y, b2);
            b3 = Vector512.FusedMultiplyAdd(x, y, b3);
            b4 = Vector512.FusedMultiplyAdd(x, y, b4); b5 = Vector512.FusedMultiplyAdd(x, y, b5); b6 = Vector512.FusedMultiplyAdd(x, y, b6);
            b7 = Vector512.FusedMultiplyAdd(x, y, b7);
        }
        return Vector512.Sum(a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + b0 + b1 + b2 + b3 + b4 + b5 + b6 + b7);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Fma256(long n)
    {
        var x = Vector256.Create(1.0000001f);
        var y = Vector256.Create(0.9999999f);
        Vector256<float> a0 = x, a1 = x, a2 = x, a3 = x, a4 = x, a5 = x, b0 = x, b1 = x, b2 = x, b3 = x, b4 = x, b5 = x;
        for (long i = 0; i < n; i++)
        {
            a0 = Vector256.FusedMultiplyAdd(x, y, a0); a1 = Vector256.FusedMultiplyAdd(x, y, a1); a2 = Vector256.FusedMultiplyAdd(x, y, a2);
            a3 = Vector256.FusedMultiplyAdd(x, y, a3); a4 = Vector256.FusedMultiplyAdd(x, y, a4); a5 = Vector256.FusedMultiplyAdd(x, y, a5);
            b0 = Vector256.FusedMultiplyAdd(x, y, b0); b1 = Vector256.FusedMultiplyAdd(x, y, b1); b2 = Vector256.FusedMultiplyAdd(x, y, b2);
            b3 = Vector256.FusedMultiplyAdd(x, y, b3); b4 = Vector256.FusedMultiplyAdd(x, y, b4); b5 = Vector256.FusedMultiplyAdd(x, y, b5);
        }
        return Vector256.Sum(a0 + a1 + a2 + a3 + a4 + a5 + b0 + b1 + b2 + b3 + b4 + b5);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Fma128(long n)
    {
        var x = Vector128.Create(1.0000001f);
        var y = Vector128.Create(0.9999999f);
        Vector128<float> a0 = x, a1 = x, a2 = x, a3 = x, a4 = x, a5 = x, b0 = x, b1 = x, b2 = x, b3 = x, b4 = x, b5 = x;
        for (long i = 0; i < n; i++)
        {
            a0 = Vector128.MultiplyAddEstimate(x, y, a0); a1 = Vector128.MultiplyAddEstimate(x, y, a1); a2 = Vector128.MultiplyAddEstimate(x, y, a2);
            a3 = Vector128.MultiplyAddEstimate(x, y, a3); a4 = Vector128.MultiplyAddEstimate(x, y, a4); a5 = Vector128.MultiplyAddEstimate(x, y, a5);
            b0 = Vector128.MultiplyAddEstimate(x, y, b0); b1 = Vector128.MultiplyAddEstimate(x, y, b1); b2 = Vector128.MultiplyAddEstimate(x, y, b2);
            b3 = Vector128.MultiplyAddEstimate(x, y, b3); b4 = Vector128.MultiplyAddEstimate(x, y, b4); b5 = Vector128.MultiplyAddEstimate(x, y, b5);
        }
        return Vector128.Sum(a0 + a1 + a2 + a3 + a4 + a5 + b0 + b1 + b2 + b3 + b4 + b5);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Copy(float* a, float* b, long n)
    {
        for (long i = 0; i < n; i += 32)
        {
            Vector256.Load(a + i).StoreAlignedNonTemporal(b + i);
            Vector256.Load(a + i + 8).StoreAlignedNonTemporal(b + i + 8);
            Vector256.Load(a + i + 16).StoreAlignedNonTemporal(b + i + 16);
            Vector256.Load(a + i + 24).StoreAlignedNonTemporal(b + i + 24);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Read(float* a, long n, bool ahead)
    {
        Vector256<float> s = default, t = default, u = default, v = default;
        for (long i = 0; i < n; i += 32)
        {
            if (ahead && Sse.IsSupported)
            {
                Sse.Prefetch1(a + i + 256);
                Sse.Prefetch1(a + i + 272);
            }
            s += Vector256.Load(a + i);
            t += Vector256.Load(a + i + 8);
            u += Vector256.Load(a + i + 16);
            v += Vector256.Load(a + i + 24);
        }
        return Vector256.Sum(s + t + u + v);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float ReadFour(float* a, long n)
    {
        Vector256<float> s = default, t = default, u = default, v = default;
        long part = n / 4;
        float* b = a + part, c = b + part, d = c + part;
        for (long i = 0; i < part; i += 16)
        {
            s += Vector256.Load(a + i) + Vector256.Load(a + i + 8);
            t += Vector256.Load(b + i) + Vector256.Load(b + i + 8);
            u += Vector256.Load(c + i) + Vector256.Load(c + i + 8);
            v += Vector256.Load(d + i) + Vector256.Load(d + i + 8);
        }
        return Vector256.Sum(s + t + u + v);
    }
}
