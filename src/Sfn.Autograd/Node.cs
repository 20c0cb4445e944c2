using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Autograd;

/// <summary>One recorded op: its inputs, its result, and the storages it keeps alive for its gradient.</summary>
internal abstract class Node
{
    private Keep _kept;
    private (int A, int B, int C, int D) _versions;

    protected Node(in Inputs inputs, Tensor? output, in Extras extras)
    {
        Inputs = inputs;
        Output = output;
        Extras = extras;
    }

    public Inputs Inputs;
    protected Extras Extras;

    public Tensor? Output { get; private set; }
    public abstract string Name { get; }
    public abstract long Flops { get; }
    public string Module { get; } = ModulePath.Current;
    public abstract void Backward(Tensor dy, Tape into);

    /// <summary>Takes part in owning what the gradient reads.</summary>
    public void Keep(Keep keep)
    {
        _kept = keep;
        if (keep != Kernels.Keep.None)
        {
            for (int i = 0; i < Inputs.Count; i++) if (Kept(i) is { } x) x.StorageOf.Retain();
            if (Output is { } y && (keep & Kernels.Keep.Output) != 0) y.StorageOf.Retain();
            _versions = Versions();
        }
        Extras.A?.StorageOf.Retain();
        Extras.B?.StorageOf.Retain();
    }

    public void CheckVersions()
    {
        if (_kept != Kernels.Keep.None && Versions() != _versions)
            throw new StaleValue($"A value that {Name} keeps for its gradient was changed after the forward pass. Call Backward before the optimizer's step.");
    }

    public long KeptBytes
    {
        get
        {
            long bytes = (Extras.A?.Bytes ?? 0) + (Extras.B?.Bytes ?? 0);
            for (int i = 0; i < 4; i++) bytes += Kept(i)?.Bytes ?? 0;
            return bytes + ((_kept & Kernels.Keep.Output) != 0 ? Output?.Bytes ?? 0 : 0);
        }
    }

    /// <summary>Lets go of everything; further calls do nothing.</summary>
    public void Release()
    {
        if (_kept != Kernels.Keep.None)
        {
            for (int i = 0; i < Inputs.Count; i++) Kept(i)?.StorageOf.Release(Name);
            if ((_kept & Kernels.Keep.Output) != 0) Output?.StorageOf.Release(Name);
        }
        Extras.A?.StorageOf.Release(Name);
        Extras.B?.StorageOf.Release(Name);
        _kept = Kernels.Keep.None;
        Extras = default;
        Inputs = default;
        Output = null;
    }

    private (int, int, int, int) Versions() => (Version(0), Version(1), Version(2), Version(3));

    private int Version(int i) => Kept(i)?.StorageOf.Version ?? 0;

    private Tensor? Kept(int i) => i < 4 && ((int)_kept >> i & 1) != 0 ? Inputs[i] : null;
}

/// <summary>A watched tensor: no op, only a place for its gradient.</summary>
internal sealed class LeafNode(Tensor? output) : Node(default, output, default)
{
    public override string Name => "leaf";
    public override long Flops => 0;
    public override void Backward(Tensor dy, Tape into) { }
}

/// <summary>A recorded op of a known type, so that its gradient is called without reflection or boxing.</summary>
internal sealed class OpNode<TOp>(TOp op, in Inputs inputs, Tensor output, in Extras extras) : Node(inputs, output, extras) where TOp : struct, IOp
{
    public override string Name => op.Name;
    public override long Flops => TOp.Flops(Inputs, Output!);
    public override void Backward(Tensor dy, Tape into) => op.Backward(new Saved(Inputs, Output!, Extras), dy, into);
}
