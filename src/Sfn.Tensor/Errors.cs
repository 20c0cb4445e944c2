namespace Sfn;

/// <summary>Base of all errors of the engine. The message says what happened, with which values, where, and the likely fix.</summary>
public abstract class SfnError : Exception
{
    /// <summary>Appends the module path at hand, if any, to the message.</summary>
    protected SfnError(string message) : base(ModulePath.Current is { Length: > 0 } path ? $"{message} (in {path})" : message) { }

    /// <summary>Same, with the error that caused this one.</summary>
    protected SfnError(string message, Exception? inner)
        : base(ModulePath.Current is { Length: > 0 } path ? $"{message} (in {path})" : message, inner) { }
}

/// <summary>Shapes or sizes do not fit together.</summary>
public sealed class ShapeMismatch(string message) : SfnError(message);

/// <summary>An element type that the operation does not take.</summary>
public sealed class DTypeMismatch(string message) : SfnError(message);

/// <summary>Tensors on different devices, or a device that is not there.</summary>
public sealed class DeviceMismatch(string message) : SfnError(message);

/// <summary>A tensor was used after the scope that owned it had freed its memory.</summary>
public sealed class DeadTensor(string message) : SfnError(message);

/// <summary>A gradient was asked through an op that has none.</summary>
public sealed class NoGradient(string message) : SfnError(message);

/// <summary>A value that the tape keeps for a gradient was changed between forward and backward.</summary>
public sealed class StaleValue(string message) : SfnError(message);

/// <summary>The device has too little memory.</summary>
public sealed class OutOfDeviceMemory(string message, Exception? inner = null) : SfnError(message, inner);

/// <summary>The path of the module whose forward runs on this thread, for errors and memory reports.</summary>
public static class ModulePath
{
    [ThreadStatic] private static string? t_current;

    /// <summary>For example <c>blocks.0.ffn.up</c>; empty outside of modules.</summary>
    public static string Current
    {
        get => t_current ?? "";
        set => t_current = value;
    }
}
