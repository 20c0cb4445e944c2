using System.Runtime.Intrinsics;
using Sfn.Backends.Cpu;

var sum = new PartialSums(chunks: 64, length: 1000);
CpuPool.Run(sum, chunks: 64);

Console.Error.WriteLine($"fused multiply-add: {(System.Runtime.Intrinsics.X86.Fma.IsSupported ? "yes" : "no")}, "
    + $"256-bit vectors: {(Vector256.IsHardwareAccelerated ? "yes" : "no")}, threads: {CpuPool.Threads}");
Console.WriteLine(FormattableString.Invariant($"sum {sum.Total}"));
Console.WriteLine("ok");
return sum.Total == 64L * 1000 * 999 / 2 ? 0 : 1;

/// <summary>Every chunk adds the numbers below <paramref name="length"/>.</summary>
internal sealed class PartialSums(int chunks, int length) : CpuJob
{
    private readonly long[] _sums = new long[chunks];

    public long Total => _sums.Sum();

    public override void Run(int chunk)
    {
        for (int i = 0; i < length; i++) _sums[chunk] += i;
    }
}
