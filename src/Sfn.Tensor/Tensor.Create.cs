using System.Runtime.InteropServices;

namespace Sfn;

public sealed partial class Tensor
{
    /// <summary>A tensor of that shape with undefined contents.</summary>
    internal static Tensor Empty(in Shape shape, DType dtype, Device device)
    {
        var storage = device.Backend.Allocator.Rent(shape.Count * dtype.Size());
        return new(new View(storage, dtype, shape));
    }

    /// <summary>All zeros.</summary>
    public static Tensor Zeros(Shape shape, DType dtype = DType.F32, Device? device = null) => Full(shape, 0, dtype, device);

    /// <summary>All ones.</summary>
    public static Tensor Ones(Shape shape, DType dtype = DType.F32, Device? device = null) => Full(shape, 1, dtype, device);

    /// <summary>Every element <paramref name="value"/>, converted as by <see cref="To(DType)"/>: floats round, integers cut and saturate.</summary>
    public static Tensor Full(Shape shape, double value, DType dtype = DType.F32, Device? device = null)
    {
        var tensor = Empty(shape, dtype, device ?? Device.Cpu);
        tensor.Backend.Fill(tensor.View, value);
        return tensor;
    }

    /// <summary>A vector of the given values.</summary>
    public static Tensor From<T>(T[] values, Device? device = null) where T : unmanaged => From<T>(values, [values.Length], device);

    /// <summary>The given values in row-major order.</summary>
    /// <exception cref="ShapeMismatch">The number of values is not the number of elements.</exception>
    public static Tensor From<T>(ReadOnlySpan<T> values, Shape shape, Device? device = null) where T : unmanaged
    {
        if (values.Length != shape.Count) throw new ShapeMismatch($"{values.Length} values do not fill shape {shape}, which has {shape.Count} elements.");
        var tensor = Empty(shape, DTypes.Of<T>(), device ?? Device.Cpu);
        if (!values.IsEmpty) tensor.Backend.Upload(MemoryMarshal.AsBytes(values), tensor.View);
        return tensor;
    }

    /// <summary>The given values in row-major order.</summary>
    public static Tensor From<T>(T[] values, Shape shape, Device? device = null) where T : unmanaged => From<T>(values.AsSpan(), shape, device);

    /// <summary>A vector of float32 values: <c>Tensor.From([1f, 2f, 3f])</c>.</summary>
    public static Tensor From(float[] values, Device? device = null) => From<float>(values, [values.Length], device);

    /// <summary>A scalar.</summary>
    public static Tensor Scalar(double value, DType dtype = DType.F32, Device? device = null) => Full([], value, dtype, device);

    /// <summary>0, 1, … count-1.</summary>
    public static Tensor Arange(int count, DType dtype = DType.F32, Device? device = null)
    {
        int[] values = new int[count];
        for (int i = 0; i < count; i++) values[i] = i;
        return From(values, device).To(dtype);
    }

    /// <summary>Independent standard normal numbers, the same for a seed on every device (drawn on the host).</summary>
    public static Tensor Randn(Shape shape, ulong seed, float std = 1f, Device? device = null)
    {
        float[] values = new float[checked((int)shape.Count)];
        Philox.Normal(seed, values, std);
        return From<float>(values, shape, device);
    }

    /// <summary>Independent numbers uniform in [low, high), the same for a seed on every device.</summary>
    public static Tensor Uniform(Shape shape, ulong seed, float low = 0f, float high = 1f, Device? device = null)
    {
        float[] values = new float[checked((int)shape.Count)];
        for (int i = 0; i < values.Length; i++) values[i] = low + (high - low) * Philox.Unit(Philox.At(seed, (ulong)i));
        return From<float>(values, shape, device);
    }
}
