namespace Sfn;

/// <summary>
/// Counter-based random bits (Philox4x32-10, Salmon et al. 2011): a pure function of seed and index, so the same numbers appear on
/// every device, in any order, from any thread.
/// </summary>
public static class Philox
{
    /// <summary>Four random words for <paramref name="counter"/>.</summary>
    public static (uint A, uint B, uint C, uint D) Words(ulong seed, ulong counter)
    {
        uint c0 = (uint)counter, c1 = (uint)(counter >> 32), c2 = 0, c3 = 0, k0 = (uint)seed, k1 = (uint)(seed >> 32);
        for (int round = 0; round < 10; round++)
        {
            ulong p = 0xD2511F53UL * c0, q = 0xCD9E8D57UL * c2;
            (c0, c1, c2, c3) = ((uint)(q >> 32) ^ c1 ^ k0, (uint)q, (uint)(p >> 32) ^ c3 ^ k1, (uint)p);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        return (c0, c1, c2, c3);
    }

    /// <summary>Word number <paramref name="index"/> of the stream of <paramref name="seed"/>.</summary>
    public static uint At(ulong seed, ulong index)
    {
        var (a, b, c, d) = Words(seed, index >> 2);
        return (index & 3) switch { 0 => a, 1 => b, 2 => c, _ => d };
    }

    /// <summary>A float in [0, 1) with 24 random bits.</summary>
    public static float Unit(uint word) => (word >> 8) * (1f / (1 << 24));

    /// <summary>Fills with normal numbers of mean 0 and standard deviation <paramref name="std"/> (Box and Muller).</summary>
    public static void Normal(ulong seed, Span<float> values, float std)
    {
        for (int i = 0; i < values.Length; i += 2)
        {
            var (a, b, c, d) = Words(seed, (ulong)(i >> 1));
            double u = (((ulong)a << 21 ^ b >> 11) + 0.5) * (1.0 / (1UL << 53)), v = ((ulong)c << 21 ^ d >> 11) * (1.0 / (1UL << 53));
            double radius = Math.Sqrt(-2 * Math.Log(u)) * std;
            values[i] = (float)(radius * Math.Cos(2 * Math.PI * v));
            if (i + 1 < values.Length) values[i + 1] = (float)(radius * Math.Sin(2 * Math.PI * v));
        }
    }

    /// <summary>A seed of its own for a named part of a run, for example a parameter.</summary>
    public static ulong Seed(ulong seed, string name) => Seed(seed, Hash(name));

    /// <summary>The same for a name's <see cref="Hash"/>: the first two words of that counter.</summary>
    public static ulong Seed(ulong seed, ulong hash)
    {
        var (a, b, _, _) = Words(seed, hash);
        return (ulong)a << 32 | b;
    }

    /// <summary>FNV-1a over the UTF-16 code units.</summary>
    public static ulong Hash(string name)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in name) hash = (hash ^ c) * 1099511628211;
        return hash;
    }
}
