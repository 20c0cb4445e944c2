namespace Sfn;

/// <summary>
/// Owns the tensors made on this thread while it is the innermost scope, and frees them when it is disposed. Every module call and
/// every tape opens one, so user code rarely does.
/// </summary>
public sealed class Scope : IDisposable
{
    [ThreadStatic] private static Scope? t_current;
    [ThreadStatic] private static Stack<Scope>? t_pool;
    private readonly List<Tensor> _mine = new(16);
    private Scope? _outer;
    private string _name = "a scope";
    private bool _open;

    private Scope() { }

    /// <summary>The innermost open scope of this thread, if any.</summary>
    internal static Scope? Current => t_current;

    /// <summary>Opens a scope.</summary>
    /// <param name="name">Named in the error when a freed tensor is used.</param>
    public static Scope Open(string name = "a scope")
    {
        var pool = t_pool ??= new();
        var scope = pool.Count > 0 ? pool.Pop() : new Scope();
        scope._outer = t_current;
        scope._name = name;
        scope._open = true;
        t_current = scope;
        return scope;
    }

    /// <summary>Moves <paramref name="tensor"/> to the surrounding scope, or to the garbage collector if there is none.</summary>
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

    /// <summary>Moves two results outward.</summary>
    public (Tensor A, Tensor B) Return(Tensor a, Tensor b) => (Return(a), Return(b));

    /// <summary>Frees what was not returned.</summary>
    public void Dispose()
    {
        if (!_open) return;
        if (t_current != this)
            throw new InvalidOperationException($"Scope '{_name}' was closed while an inner scope is open, or on another thread. Dispose scopes in reverse order.");
        _open = false;
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

    internal void Own(Tensor tensor)
    {
        tensor.Owner = this;
        tensor.StorageOf.Retain();
        _mine.Add(tensor);
    }

    internal static void Keep(Tensor tensor)
    {
        tensor.StorageOf.Collect();
        if (tensor.Owner is { } owner)
        {
            tensor.Owner = null;
            tensor.StorageOf.Release(owner._name);
        }
    }
}
