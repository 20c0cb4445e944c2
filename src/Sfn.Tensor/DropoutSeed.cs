using Sfn.Backends;

namespace Sfn;

/// <summary>
/// Where the random bits of a dropout come from: a number, or a number in device memory, which a replayed step finds changed. Named streams
/// make independent seeds of one: <c>seed.Stream("blocks.0").Stream("ffn")</c> is <see cref="Philox.Seed(ulong, string)"/> twice.
/// </summary>
public readonly struct DropoutSeed
{
    private readonly ulong _value, _stream0, _stream1;
    private readonly int _streams;

    /// <summary>A seed known to the host.</summary>
    public DropoutSeed(ulong value) => _value = value;

    /// <summary>A seed in device memory, read when the op runs on the device.</summary>
    /// <param name="memory">I32 [2], dense: the lower and the upper half of the number. Change it in place between steps, never between forward
    /// and backward of one.</param>
    /// <exception cref="ShapeMismatch">It is not I32 [2].</exception>
    public DropoutSeed(Tensor memory)
    {
        if (memory.DType != DType.I32 || memory.Rank != 1 || memory.Count != 2 || !memory.IsContiguous)
            throw new ShapeMismatch($"A dropout seed in device memory is a dense I32 [2], lower half first, not {memory.DType.Name()} {memory.Shape}.");
        Memory = memory;
    }

    private DropoutSeed(in DropoutSeed outer, ulong stream)
    {
        if (outer._streams == 2) throw new InvalidOperationException("A dropout seed in device memory takes at most two nested streams.");
        Memory = outer.Memory;
        _streams = outer._streams + 1;
        (_stream0, _stream1) = _streams == 1 ? (stream, 0UL) : (outer._stream0, stream);
    }

    /// <summary>The device memory that holds the seed; null if the host knows it.</summary>
    public Tensor? Memory { get; }

    /// <summary>The seed of a part of a model.</summary>
    /// <param name="name">For example a module's path.</param>
    /// <exception cref="InvalidOperationException">A seed in device memory has two streams already.</exception>
    public DropoutSeed Stream(string name) => Memory is null ? new(Philox.Seed(_value, name)) : new DropoutSeed(this, Philox.Hash(name));

    /// <summary>A seed known to the host.</summary>
    public static implicit operator DropoutSeed(ulong value) => new(value);

    /// <summary>The number, read back from the device if it is there.</summary>
    internal ulong Read()
    {
        if (Memory is null) return _value;
        Span<int> halves = stackalloc int[2];
        Memory.CopyTo(halves);
        return Spec(0).SeedOf((uint)halves[0], (uint)halves[1]);
    }

    internal DropoutSpec Spec(float probability) => new()
    {
        Threshold = (uint)(probability * 4294967296.0),
        Kept = (float)(1.0 / (1.0 - probability)),
        Seed = _value,
        Memory = Memory?.View,
        Streams = _streams,
        Stream0 = _stream0,
        Stream1 = _stream1,
    };
}
