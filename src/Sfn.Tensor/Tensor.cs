using Sfn.Backends;
using Sfn.Ops;

namespace Sfn;

/// <summary>
/// An immutable n-dimensional array on a device: shape, element type, and a window onto reference-counted memory. Ops make new
/// tensors; views (transpose, slice, expand, most reshapes) share memory.
/// </summary>
/// <remarks>
/// A tensor made inside a scope (every module call, every tape) is freed with that scope unless it is returned or kept; outside any
/// scope it belongs to the garbage collector. Gradients are recorded by <c>Sfn.Autograd.Tape</c> if an input descends from a parameter.
/// </remarks>
public sealed partial class Tensor
{
    private readonly View _view;
    private readonly int _generation;

    internal Tensor(in View view)
    {
        _view = view;
        _generation = view.Storage.Generation;
        if (ScopeFrame.Current is { } scope) scope.Own(this);
        else view.Storage.Collect();
    }

    /// <summary>Sizes, outermost first.</summary>
    public Shape Shape => _view.Shape;

    // Also for tensors that were freed, and without copies of the shapes.
    internal bool HasShapeOf(Tensor other) => Shape.Same(_view.Shape, other._view.Shape);

    /// <summary>Element type.</summary>
    public DType DType => _view.DType;

    /// <summary>Where the memory is.</summary>
    public Device Device => _view.Storage.Allocator.Device;

    /// <summary>Number of dimensions; 0 for a scalar.</summary>
    public int Rank => _view.Shape.Rank;

    /// <summary>Number of elements.</summary>
    public long Count => _view.Shape.Count;

    /// <summary>Bytes of the elements, without what views share.</summary>
    public long Bytes => Count * DType.Size();

    /// <summary>Whether the elements lie densely in row-major order.</summary>
    public bool IsContiguous => _view.IsContiguous;

    /// <summary>The memory window, for backends and ops.</summary>
    /// <exception cref="DeadTensor">Its scope has freed it.</exception>
    public ref readonly View View
    {
        get
        {
            if (_view.Storage.Generation != _generation) throw _view.Storage.Dead(_view.Shape);
            return ref _view;
        }
    }

    /// <summary>Whether the memory is still there.</summary>
    public bool IsAlive => _view.Storage.Generation == _generation;

    internal IBackend Backend => _view.Storage.Allocator.Backend;

    internal Storage StorageOf => _view.Storage;

    internal ScopeFrame? Owner { get; set; }

    /// <summary>Set by a tape: the recorder that knows this tensor, and its number there.</summary>
    internal IRecorder? Recorder { get; set; }

    internal int Node { get; set; } = -1;

    /// <summary>Set by a parameter on its value: who takes the gradient.</summary>
    internal object? Leaf { get; set; }

    /// <summary>Moves the tensor out of all scopes: it lives as long as something refers to it.</summary>
    /// <returns>This tensor.</returns>
    public Tensor Keep()
    {
        _ = View;
        ScopeFrame.Keep(this);
        return this;
    }

    /// <summary>The same values without a history: no gradient flows through the result.</summary>
    public Tensor Detach() => new(View);

    /// <summary>A new tensor over another window of the same memory; not recorded, for use inside ops.</summary>
    internal Tensor Over(in View view) => new(view);

    /// <summary>Same sizes and element type on the same device, contents undefined.</summary>
    internal Tensor EmptyLike() => Empty(_view.Shape, DType, Device);

    /// <summary>This tensor if it is dense, else a dense copy; not recorded, for use inside ops.</summary>
    internal Tensor Dense()
    {
        if (IsContiguous) return this;
        var copy = EmptyLike();
        Backend.Copy(View, copy.View);
        return copy;
    }

    /// <summary>Copies the elements out, in row-major order.</summary>
    /// <exception cref="DTypeMismatch"><typeparamref name="T"/> is not the element type; use <see cref="To(DType)"/> first.</exception>
    public T[] ToArray<T>() where T : unmanaged
    {
        var values = new T[checked((int)Count)];
        CopyTo(values.AsSpan());
        return values;
    }

    /// <summary>Copies the elements out as float32, converting.</summary>
    public float[] ToArray() => DType == DType.F32 ? ToArray<float>() : Unrecorded(t => t.To(DType.F32)).ToArray<float>();

    /// <summary>Copies the elements into <paramref name="target"/>, in row-major order.</summary>
    public void CopyTo<T>(Span<T> target) where T : unmanaged
    {
        RequireElement<T>();
        if (target.Length < Count) throw new ShapeMismatch($"{Count} elements of shape {Shape} do not fit a span of {target.Length}.");
        if (Count == 0) return;
        using var scope = Scope.Open("Tensor.CopyTo");
        Backend.Download(Dense().View, System.Runtime.InteropServices.MemoryMarshal.AsBytes(target[..(int)Count]));
        GC.KeepAlive(this);                                         // a pointer into its memory keeps nothing alive
    }

    /// <summary>The only element, as a number.</summary>
    /// <exception cref="ShapeMismatch">There is not exactly one element.</exception>
    public double Item()
    {
        if (Count != 1) throw new ShapeMismatch($"Item() needs one element, the shape is {Shape}. Index the tensor first.");
        Span<double> one = stackalloc double[1];
        using var scope = Scope.Open("Tensor.Item");
        var wide = Empty([], DType.F64, Device);
        Backend.Copy(Over(View).AsScalar(), wide.View);
        Backend.Download(wide.View, System.Runtime.InteropServices.MemoryMarshal.AsBytes(one));
        return one[0];
    }

    /// <summary>The only element of a float tensor.</summary>
    public static explicit operator float(Tensor scalar) => (float)scalar.Item();

    private View AsScalar() => new(View.Storage, DType, [], default, View.Offset);

    private Tensor Unrecorded(Func<Tensor, Tensor> f)
    {
        using var pause = Ops.Op.Pause();
        return f(this);
    }

    private void RequireElement<T>() where T : unmanaged
    {
        if (DTypes.Of<T>() != DType)
            throw new DTypeMismatch($"Elements are {DType.Name()}, not {typeof(T).Name}. Convert with To(DType.{DTypes.Of<T>()}) first.");
    }
}
