namespace Sfn;

/// <summary>The tensors of an open <see cref="Scope"/>. Frames are reused, so that opening a scope allocates nothing.</summary>
internal sealed class ScopeFrame
{
    [ThreadStatic] private static ScopeFrame? t_current;
    [ThreadStatic] private static Stack<ScopeFrame>? t_pool;
    private readonly List<Tensor> _mine = new(16);
    private ScopeFrame? _outer;
    private string _name = "a scope";

    private ScopeFrame() { }

    /// <summary>The innermost open frame of this thread, if any.</summary>
    public static ScopeFrame? Current => t_current;

    /// <summary>Grows when the frame is opened and when it is closed: a handle of an earlier life does nothing.</summary>
    public int Version { get; private set; }

    public static ScopeFrame Open(string name)
    {
        var pool = t_pool ??= new();
        var scope = pool.Count > 0 ? pool.Pop() : new ScopeFrame();
        scope._outer = t_current;
        scope._name = name;
        scope.Version++;
        t_current = scope;
        return scope;
    }

    public Tensor Return(Tensor tensor)
    {
        if (tensor.Owner != this) return tensor;
        if (_outer is not null)
        {
            tensor.Owner = _outer;
            _outer._mine.Add(tensor);
        }
        else
        {
            Keep(tensor);
        }
        return tensor;
    }

    public void Close()
    {
        if (t_current != this)
            throw new InvalidOperationException(
                $"Scope '{_name}' was closed while an inner scope is open, or on another thread. Dispose scopes in reverse order.");
        Version++;
        t_current = _outer;
        for (int i = _mine.Count - 1; i >= 0; i--)
        {
            var tensor = _mine[i];
            if (tensor.Owner != this) continue;
            tensor.Owner = null;
            tensor.StorageOf.Release(_name);
        }
        _mine.Clear();
        _outer = null;
        t_pool!.Push(this);
    }

    public void Own(Tensor tensor)
    {
        tensor.Owner = this;
        tensor.StorageOf.Retain();
        _mine.Add(tensor);
    }

    public static void Keep(Tensor tensor)
    {
        tensor.StorageOf.Collect();
        if (tensor.Owner is { } owner)
        {
            tensor.Owner = null;
            tensor.StorageOf.Release(owner._name);
        }
    }
}
