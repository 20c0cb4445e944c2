using Sfn.Kernels;

namespace Sfn.Ops;

/// <summary>The inputs of an op: up to four, or any number through <see cref="Inputs(Tensor[])"/>.</summary>
public readonly struct Inputs
{
    private readonly Tensor? _a, _b, _c, _d;
    private readonly Tensor[]? _many;

    /// <summary>Up to four inputs; trailing ones may be missing, and an optional one in the middle may be null.</summary>
    public Inputs(Tensor a, Tensor? b = null, Tensor? c = null, Tensor? d = null)
    {
        _a = a;
        _b = b;
        _c = c;
        _d = d;
        Count = d is not null ? 4 : c is not null ? 3 : b is not null ? 2 : 1;
    }

    /// <summary>Any number of inputs.</summary>
    public Inputs(Tensor[] many)
    {
        _many = many;
        Count = many.Length;
    }

    /// <summary>Number of inputs, counting missing ones in the middle.</summary>
    public int Count { get; }

    /// <summary>Holds the inputs up to here: a kernel that reads through pointers keeps none of them alive.</summary>
    internal void KeepAlive()
    {
        GC.KeepAlive(_a);
        GC.KeepAlive(_b);
        GC.KeepAlive(_c);
        GC.KeepAlive(_d);
        GC.KeepAlive(_many);
    }

    /// <summary>First input.</summary>
    public Tensor A => (_many is null ? _a : this[0])!;

    /// <summary>Second input.</summary>
    public Tensor B => (_many is null ? _b : this[1])!;

    /// <summary>Third input, if present.</summary>
    public Tensor? C => this[2];

    /// <summary>Fourth input, if present.</summary>
    public Tensor? D => this[3];

    /// <summary>Input <paramref name="i"/>, null if it is optional and missing.</summary>
    public Tensor? this[int i] => _many is not null ? (i < _many.Length ? _many[i] : null) : i switch { 0 => _a, 1 => _b, 2 => _c, _ => _d };
}

/// <summary>Tensors that an op computes besides its result and wants back for its gradient, for example row statistics.</summary>
public struct Extras
{
    /// <summary>First extra.</summary>
    public Tensor? A { get; set; }

    /// <summary>Second extra.</summary>
    public Tensor? B { get; set; }
}

/// <summary>
/// What an op's gradient may read: the inputs and result that <see cref="IOp.Keeps"/> names, and the extras. Of the others only shape and
/// type.
/// </summary>
public readonly ref struct Saved(in Inputs inputs, Tensor output, in Extras extras)
{
    private readonly ref readonly Inputs _inputs = ref inputs;
    private readonly ref readonly Extras _extras = ref extras;

    /// <summary>The inputs.</summary>
    public ref readonly Inputs Inputs => ref _inputs;

    /// <summary>The result.</summary>
    public Tensor Output { get; } = output;

    /// <summary>First extra.</summary>
    public Tensor? ExtraA => _extras.A;

    /// <summary>Second extra.</summary>
    public Tensor? ExtraB => _extras.B;
}

/// <summary>Takes the gradients of an op's inputs. The engine, not the op, sums over broadcast dimensions and over several uses.</summary>
public interface IGradients
{
    /// <summary>Whether anybody wants the gradient of input <paramref name="i"/>; skip the work if not.</summary>
    bool Needs(int i);

    /// <summary>
    /// Adds <paramref name="gradient"/>, which has the shape of the op's output side or of the input, to input <paramref name="i"/>'s
    /// gradient.
    /// </summary>
    void Add(int i, Tensor gradient);

    /// <summary>
    /// Where to write the gradient of input <paramref name="i"/>, dense and of the input's shape. If <paramref name="accumulate"/> is
    /// true it holds a gradient already, which must be added to; else its contents are undefined and must be overwritten.
    /// </summary>
    Tensor Target(int i, out bool accumulate);
}

/// <summary>An op: forward, gradient, and what the gradient keeps. Implement it as a struct whose fields are the op's parameters.</summary>
public interface IOp
{
    /// <summary>Name in reports and errors, lower case as in torch.</summary>
    string Name { get; }

    /// <summary>Which inputs and whether the result must survive until backward.</summary>
    Keep Keeps { get; }

    /// <summary>Computes the result. Nothing inside is recorded.</summary>
    Tensor Forward(in Inputs x, ref Extras extras);

    /// <summary>Hands the gradient of every needed input to <paramref name="into"/>, given the result's gradient <paramref name="dy"/>.</summary>
    void Backward(in Saved saved, Tensor dy, IGradients into);

    /// <summary>Whether there is a gradient; recording an op without one throws <see cref="NoGradient"/>.</summary>
    static virtual bool Differentiable => true;

    /// <summary>Whether to record even if no input is tracked, because the op reaches parameters by other ways (recompute).</summary>
    static virtual bool AlwaysRecord => false;

    /// <summary>Floating-point operations of the forward pass, multiply and add counted as two.</summary>
    static virtual long Flops(in Inputs x, Tensor y) => y.Count;
}

/// <summary>What autograd hangs into <see cref="Op.Run{TOp}(TOp, in Inputs)"/>; the only thing the tensor layer knows about gradients.</summary>
public interface IRecorder
{
    /// <summary>Whether it is open on another thread, so that an op on this thread would be missing from it.</summary>
    bool IsElsewhere { get; }

    /// <summary>Called after each op's forward.</summary>
    void Record<TOp>(in TOp op, in Inputs inputs, Tensor output, in Extras extras) where TOp : struct, IOp;
}
