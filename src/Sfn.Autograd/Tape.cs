using Sfn.Kernels;
using Sfn.Ops;

namespace Sfn.Autograd;

/// <summary>
/// Records the ops of this thread while it is open and computes gradients. The tape is a list: nodes are appended in the order of
/// execution, so walking it from the end visits every result before what it was made of.
/// </summary>
/// <remarks>
/// An op is recorded if an input descends from a parameter that is not frozen, or from a watched tensor. A node holds only what its
/// gradient reads (<see cref="IOp.Keeps"/>), and lets go of it as backward passes, so memory falls while backward runs.
/// </remarks>
public sealed class Tape : IRecorder, IGradients, IDisposable
{
    private readonly List<Node> _nodes = new(256);
    private readonly List<Slot> _slots = new(256);                  // one per node: the gradient of its output
    private readonly Scope _scope;
    private readonly IRecorder? _outer = Op.Recorder;
    private readonly Thread _thread = Thread.CurrentThread;
    private Node? _current;
    private bool _closed;

    /// <summary>Starts recording on this thread.</summary>
    public Tape()
    {
        _scope = Scope.Open("the tape");
        Op.Recorder = this;
    }

    /// <summary>Recorded nodes, leaves included.</summary>
    public int Count => _nodes.Count;

    /// <summary>Told of every node and its times, if set.</summary>
    internal TapeReport? Report { get; set; }

    /// <summary>Makes the tape track a tensor that is no parameter: use the result in its place, then ask <see cref="Gradient"/> for it.</summary>
    public Tensor Watch(Tensor x)
    {
        if (!x.DType.IsFloat()) throw new DTypeMismatch($"Only float tensors have gradients; this one is {x.DType.Name()}.");
        var watched = x.Detach();
        Append(new LeafNode(null), watched);
        return watched;
    }

    /// <summary>
    /// The gradient of a watched tensor after <see cref="Backward(Tensor, Tensor)"/>; null if it had no influence. Lives as long as the
    /// tape.
    /// </summary>
    public Tensor? Gradient(Tensor watched)
    {
        if (watched.Recorder != this || (!_closed && _nodes[watched.Node] is not LeafNode))
            throw new NoGradient("This tensor is not watched by this tape. Use the tensor that Watch returned.");
        return _slots[watched.Node].Gradient;
    }

    bool IRecorder.IsElsewhere => !_closed && Thread.CurrentThread != _thread;

    void IRecorder.Record<TOp>(in TOp op, in Inputs inputs, Tensor output, in Extras extras)
    {
        if (!output.DType.IsFloat()) return;
        bool tracked = TOp.AlwaysRecord;
        for (int i = 0; i < inputs.Count; i++)
        {
            if (inputs[i] is not { } x) continue;
            tracked |= IsTracked(x);
            if (x.Recorder is Tape { _closed: false } other && other != this)
                throw new NoGradient($"{op.Name} reads a value of another open tape; its gradient would be lost. Watch it on the inner tape, or Detach() it.");
        }
        if (!tracked) return;
        if (!TOp.Differentiable)
            throw new NoGradient($"{op.Name} has no gradient, but its input descends from a parameter. Call Detach() on the input if that is meant.");
        if (Thread.CurrentThread != _thread) throw new InvalidOperationException("A tape records on the thread that opened it.");
        var node = new OpNode<TOp>(op, inputs, output, extras);
        node.Keep(op.Keeps);
        Append(node, output);
    }

    /// <summary>Adds the gradient of a scalar loss to every parameter's <see cref="Parameter.Gradient"/>.</summary>
    /// <param name="loss">One element, recorded on this tape.</param>
    public void Backward(Tensor loss)
    {
        if (loss.Count != 1)
            throw new ShapeMismatch($"Backward starts from one number, not from shape {loss.Shape}. Reduce it with Sum() or Mean(), or give its gradient.");
        Backward(loss, Tensor.Ones(loss.Shape, loss.DType, loss.Device));
    }

    /// <summary>
    /// Same, for a result of any shape whose gradient <paramref name="dy"/> is known. If it throws, some parameters have been added to:
    /// clear them.
    /// </summary>
    public void Backward(Tensor y, Tensor dy)
    {
        if (y.Recorder != this || !ReferenceEquals(Op.Recorder, this))
            throw new NoGradient(
                "This tensor was not recorded by this tape, or backward has run already: it does not descend from a parameter, or was made before the " +
                    "tape or detached.");
        if (y.Shape != dy.Shape) throw new ShapeMismatch($"The gradient {dy.Shape} must have the result's shape {y.Shape}.");
        if (y.Device != dy.Device) throw new DeviceMismatch($"The gradient is on {dy.Device}, the result on {y.Device}. Move it with To(device).");
        _ = dy.View;                                                // throws if it was freed
        string op = Op.Current, module = ModulePath.Current;
        Op.Recorder = null;
        Report?.Started();
        _slots[y.Node].Set(dy.To(y.DType));
        try
        {
            for (int i = y.Node; i >= 0; i--) Differentiate(i);
        }
        finally
        {
            _current = null;
            (Op.Current, ModulePath.Current) = (op, module);
        }
        for (int i = 0; i < _nodes.Count; i++) _nodes[i].Release();
    }

    private void Differentiate(int i)
    {
        if (_nodes[i] is LeafNode || _slots[i].Gradient is not { } gradient) return;
        _current = _nodes[i];
        ModulePath.Current = _current.Module;
        Op.Current = _current.Name;
        using (Scope.Open(_current.Name))
        {
            _current.CheckVersions();
            _current.Backward(gradient, this);
        }
        Report?.Differentiated(i);
        _current.Release();
        _slots[i].Clear();
    }

    bool IGradients.Needs(int i) => _current!.Inputs[i] is { } x && IsTracked(x);

    void IGradients.Add(int i, Tensor gradient)
    {
        var x = _current!.Inputs[i]!;
        if (!IsTracked(x)) return;
        var parameter = x.Leaf as Parameter;
        if (!gradient.HasShapeOf(x)) gradient = Reductions.SumTo(gradient, x.Shape, (parameter?.Value ?? x).DType);
        if (parameter is not null) parameter.AddGradient(gradient);
        else _slots[x.Node].Add(gradient.To(x.DType));
    }

    Tensor IGradients.Target(int i, out bool accumulate)
    {
        var x = _current!.Inputs[i]!;
        return x.Leaf is Parameter parameter ? parameter.GradientTarget(out accumulate) : _slots[x.Node].Target(x, out accumulate);
    }

    private bool IsTracked(Tensor x) => x.Recorder == this || x.Leaf is Parameter { Frozen: false };

    private void Append(Node node, Tensor output)
    {
        output.Recorder = this;
        output.Node = _nodes.Count;
        _nodes.Add(node);
        _slots.Add(new Slot());
        Report?.Recorded(node);
    }

    /// <summary>Stops recording and frees what is left.</summary>
    public void Dispose()
    {
        if (_closed) return;
        if (Thread.CurrentThread != _thread) throw new InvalidOperationException("A tape is closed on the thread that opened it.");
        _scope.Dispose();                                           // refuses while an inner scope is open: nothing has changed then
        _closed = true;
        if (ReferenceEquals(Op.Recorder, this) || Op.Recorder is null) Op.Recorder = _outer;
        foreach (var node in _nodes) node.Release();
        foreach (var slot in _slots) slot.Clear();
        _nodes.Clear();
    }
}
