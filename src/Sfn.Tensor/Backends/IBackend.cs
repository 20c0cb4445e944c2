using Sfn.Kernels;

namespace Sfn.Backends;

/// <summary>What a matmul adds to the product while a result tile is at hand, in this order: bias, activation, residual.</summary>
public enum Activation : byte
{
    /// <summary>None.</summary>
    None,
    /// <summary>Gaussian error linear unit, tanh form.</summary>
    Gelu,
    /// <summary>x·sigmoid(x).</summary>
    Silu,
    /// <summary>max(x, 0).</summary>
    Relu,
}

/// <summary>How products of float32 matrices are computed; sums are float32 in either case.</summary>
public enum MatMulMode : byte
{
    /// <summary>In float32, or in a way whose error is not larger; ∞ in a factor may give NaN.</summary>
    Float32,
    /// <summary>
    /// The device may round the factors to tf32 (8 bits of exponent, 10 of mantissa), as the tensor cores of NVIDIA GPUs since Ampere do. A device without
    /// such units computes in float32.
    /// </summary>
    Tf32,
}

/// <summary>Options of <see cref="IBackend.MatMul"/>.</summary>
public readonly struct MatMulSpec
{
    /// <summary>Add what c holds to the product, before bias and activation, instead of overwriting it.</summary>
    public bool Accumulate { get; init; }

    /// <summary>Added to every row: a vector of the last dimension's size, or [batch.., 1, last] for one per batch.</summary>
    public View? Bias { get; init; }

    /// <summary>Added after the activation; same shape as c.</summary>
    public View? Residual { get; init; }

    /// <summary>Applied after the bias.</summary>
    public Activation Activation { get; init; }

    /// <summary>What may be done to float32 factors.</summary>
    public MatMulMode Mode { get; init; }
}

/// <summary>
/// What a device must provide: about a dozen methods, generic in the op bodies. Optional speed lives in capability interfaces; each
/// op holds the composed form that works without them.
/// </summary>
/// <remarks>
/// Views may have any strides unless stated. Shapes are checked before a backend is called. All float views of a call have one element type unless stated;
/// bfloat16 is an element type of memory only: a kernel widens what it loads, computes and accumulates in float32 or better, and rounds once as it stores.
/// </remarks>
public interface IBackend
{
    /// <summary>The device this backend serves.</summary>
    Device Device { get; }

    /// <summary>Hardware and capabilities in one line.</summary>
    string Description { get; }

    /// <summary>Cache over <see cref="Allocate"/>.</summary>
    CachingAllocator Allocator { get; }

    /// <summary>Raw memory, 64-byte aligned; 0 if there is none left.</summary>
    nint Allocate(long bytes);

    /// <summary>Frees what <see cref="Allocate"/> gave.</summary>
    void Free(nint pointer, long bytes);

    /// <summary>
    /// Host to device; <paramref name="to"/> is contiguous. The span has been copied when the call returns and may be changed at once; the device may still be
    /// at work. A device that works by itself takes small uploads (a batch of ids, a step's settings) through a staging buffer, without waiting.
    /// </summary>
    void Upload(ReadOnlySpan<byte> from, in View to);

    /// <summary>Device to host; <paramref name="from"/> is contiguous. Waits for the work before it, and throws what queued checks have found.</summary>
    void Download(in View from, Span<byte> to);

    /// <summary>Waits until all work is done, and throws what queued checks have found.</summary>
    void Synchronize();

    /// <summary>What an error of the device's driver means: the device is lost. Null for all other errors.</summary>
    DeviceLost? Lost(Exception error) => error as DeviceLost;

    /// <summary>Every element of y := value.</summary>
    void Fill(in View y, double value);

    /// <summary>y := x, strided, converting between element types; same shape.</summary>
    void Copy(in View x, in View y);

    /// <summary>y := y + x; same shape, x converted to y's type: gradients of bfloat16 are added to float32 ones.</summary>
    void AddTo(in View x, in View y);

    /// <summary>y := f(x); same shape.</summary>
    void Map<TOp>(TOp op, in View x, in View y) where TOp : struct, IUnary;

    /// <summary>dx := f'(x)·dy, or dx += … ; x and y are only valid if the op keeps them.</summary>
    void MapGrad<TOp>(TOp op, in View x, in View y, in View dy, in View dx, bool accumulate) where TOp : struct, IUnary;

    /// <summary>y := f(a, b); a and b are expanded to y's shape (stride 0). y may be Bool.</summary>
    void Zip<TOp>(TOp op, in View a, in View b, in View y) where TOp : struct, IBinary;

    /// <summary>dx := ∂f/∂a·dy (input 0) or ∂f/∂b·dy (input 1), all of y's shape; what the op does not keep may be any view of that shape.</summary>
    void ZipGrad<TOp>(TOp op, int input, in View a, in View b, in View y, in View dy, in View dx) where TOp : struct, IBinary;

    /// <summary>y := condition ? a : b; all expanded to y's shape; the condition is Bool or a number (0 is false).</summary>
    void Where(in View condition, in View a, in View b, in View y);

    /// <summary>
    /// Combines all elements of the last <paramref name="axes"/> dimensions of x into y, which has the leading dimensions. y may be float32 where x is
    /// bfloat16.
    /// </summary>
    void Reduce<TMonoid>(TMonoid monoid, in View x, in View y, int axes) where TMonoid : struct, IMonoid;

    /// <summary>Index of the largest element along the last dimension, the first of equals; y is I32.</summary>
    void ArgMax(in View x, in View y);

    /// <summary>
    /// c[…, m, n] := Σₖ a[…, m, k]·b[…, k, n] with up to two batch dimensions and general strides for all three. Where a and b are bfloat16, c (with the
    /// residual) is bfloat16 or float32, and so is the bias by itself.
    /// </summary>
    void MatMul(in View a, in View b, in View c, in MatMulSpec spec);

    /// <summary>y[i, …] := table[ids[i], …]; ids is a vector of integers, already checked.</summary>
    void Gather(in View table, in View ids, in View y);

    /// <summary>
    /// table[ids[i], …] += y[i, …], in the order of i, so that the result does not depend on timing. The table may be float32 where y is bfloat16.
    /// </summary>
    void ScatterAdd(in View y, in View ids, in View table);
}
