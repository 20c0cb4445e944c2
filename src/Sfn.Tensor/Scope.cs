namespace Sfn;

/// <summary>
/// Owns the tensors made on this thread while it is the innermost scope, and frees them when it is disposed. Every module call and
/// every tape opens one, so user code rarely does.
/// </summary>
public readonly struct Scope : IDisposable
{
    private readonly ScopeFrame? _frame;
    private readonly int _version;

    private Scope(ScopeFrame frame)
    {
        _frame = frame;
        _version = frame.Version;
    }

    /// <summary>Opens a scope.</summary>
    /// <param name="name">Named in the error when a freed tensor is used.</param>
    public static Scope Open(string name = "a scope") => new(ScopeFrame.Open(name));

    /// <summary>Moves <paramref name="tensor"/> to the surrounding scope, or to the garbage collector if there is none.</summary>
    /// <exception cref="InvalidOperationException">The scope is closed.</exception>
    public Tensor Return(Tensor tensor) => Frame.Return(tensor);

    /// <summary>Moves two results outward.</summary>
    public (Tensor A, Tensor B) Return(Tensor a, Tensor b) => (Return(a), Return(b));

    /// <summary>Frees what was not returned. A second call does nothing.</summary>
    public void Dispose()
    {
        if (_frame is { } frame && frame.Version == _version) frame.Close();
    }

    private ScopeFrame Frame => _frame is { } frame && frame.Version == _version
        ? frame
        : throw new InvalidOperationException("This scope is closed: return tensors before its end.");
}
