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
public sealed class ShapeMismatch(string message) : SfnError(message)
{
    /// <summary>An id that is outside its table or its classes, as ops and <see cref="Backends.IDeviceChecks"/> report it.</summary>
    /// <param name="op">The op that was given the ids.</param>
    /// <param name="index">The id.</param>
    /// <param name="size">Rows of the table or number of classes: ids are 0..size-1.</param>
    /// <param name="ignore">The id that is allowed besides; ids of classes have one, ids of rows none.</param>
    public static ShapeMismatch OfIndex(string op, long index, int size, int? ignore = null) => new(ignore is { } other
        ? $"{op}: target {index} is outside the {size} classes (0 to {size - 1}; {other} does not count). Check the vocabulary of the data."
        : $"{op}: index {index} is outside 0..{size - 1}.");
}

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

/// <summary>Work that is being captured for replay wants something of the host.</summary>
public sealed class CaptureError(string message) : SfnError(message)
{
    /// <summary>What a backend throws inside of a capture.</summary>
    /// <param name="call">The call that is not possible: upload, download or synchronize.</param>
    public static CaptureError Of(string call) => new(
        $"{call}{(Ops.Op.Current is { Length: > 0 } op ? $" by {op}" : "")} inside of captured work: a replay could not repeat it. "
        + "Bring data to the device before the capture, read results after a replay, and let numbers that change come from device memory.");
}

/// <summary>
/// The device or its driver has failed and cannot be used any more in this process: its tensors are lost. The message names the device, the call and the
/// driver's own words, and what to try. Files are not affected; freeing memory of a lost device does nothing and does not throw.
/// </summary>
public sealed class DeviceLost(string message, Exception? inner = null) : SfnError(message, inner);

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
