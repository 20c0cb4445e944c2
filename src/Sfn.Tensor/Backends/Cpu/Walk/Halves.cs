namespace Sfn.Backends.Cpu;

/// <summary>Float32 to bfloat16 while the numbers are in the cache.</summary>
internal static unsafe class Halves
{
    /// <summary>Rounds to nearest even.</summary>
    public static void Round(float* x, BFloat16* y, long n)
    {
        for (long i = Narrow.Vectors(x, y, n); i < n; i++) y[i] = (BFloat16)x[i];
    }
}
