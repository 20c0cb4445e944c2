namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>Single elements as the host writes them.</summary>
internal static unsafe class HostElement
{
    /// <summary>The bits of <paramref name="value"/> as an element of that type, in the low bytes; conversions as everywhere.</summary>
    public static ulong Bits(DType dtype, double value)
    {
        ulong bits = 0;
        Reference.Element.Write((byte*)&bits, dtype, 0, value);
        return bits;
    }
}
