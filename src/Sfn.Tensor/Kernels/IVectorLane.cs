namespace Sfn.Kernels;

/// <summary>A float32 lane that a CPU walker fills from memory: a scalar, a hardware vector, or several vectors side by side.</summary>
/// <typeparam name="L">The lane itself.</typeparam>
public unsafe interface IVectorLane<L> : IFloatLane<L> where L : struct, IVectorLane<L>
{
    /// <summary>Elements in the lane.</summary>
    static abstract int Width { get; }

    /// <summary>Reads <see cref="Width"/> consecutive floats; no alignment is needed.</summary>
    static abstract L Load(float* source);

    /// <summary>Writes <see cref="Width"/> consecutive floats; no alignment is needed.</summary>
    void Store(float* target);

    /// <summary>
    /// Writes <see cref="Width"/> consecutive floats past the caches, to an address that is a multiple of 64 bytes. An ordinary store where
    /// the hardware has no such store. Other threads see it after <see cref="System.Runtime.Intrinsics.X86.Sse.StoreFence"/>.
    /// </summary>
    void StoreNonTemporal(float* target);

    /// <summary>Element <paramref name="index"/>.</summary>
    float this[int index] { get; }

    /// <summary>Combines all elements, always in the same order.</summary>
    float Fold<TMonoid>(TMonoid monoid) where TMonoid : struct, IMonoid;
}
