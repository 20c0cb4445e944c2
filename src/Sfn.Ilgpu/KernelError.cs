namespace Sfn.Backends.Ilgpu;

/// <summary>A kernel could not be compiled or launched. The message names the kernel and the device.</summary>
public sealed class KernelError : SfnError
{
    internal KernelError(string message, Exception? inner = null) : base(message, inner) { }
}
