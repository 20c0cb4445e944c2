namespace Sfn.CudaEmulator;

/// <summary>A module that the emulator does not accept, as <c>ptxas</c> would refuse it: bad syntax, an unknown instruction, operands that do not fit.</summary>
/// <param name="line">1-based line of the PTX text; 0 if no line is to blame.</param>
/// <param name="message">What is wrong.</param>
public sealed class PtxRejectedException(int line, string message) : Exception(line > 0 ? $"PTX line {line}: {message}" : message)
{
    /// <summary>1-based line of the PTX text; 0 if no line is to blame.</summary>
    public int Line => line;
}

/// <summary>Why a kernel was stopped.</summary>
public enum PtxFaultKind
{
    /// <summary>An access outside of every live allocation, or outside of the block's shared or the thread's local memory.</summary>
    IllegalAddress,

    /// <summary>An address that is no multiple of the size of its access.</summary>
    MisalignedAddress,

    /// <summary>Threads that wait for others which will never come: they exited, or wait somewhere else.</summary>
    Divergence,

    /// <summary>Two threads touch one place of shared memory, one of them writing, with no barrier between.</summary>
    Race,

    /// <summary>A launch with impossible sizes, or arguments that do not fit the kernel's parameters.</summary>
    BadLaunch,

    /// <summary>An instruction met operands for which its result is undefined, or a thread does not end.</summary>
    Undefined,
}

/// <summary>A kernel did what a device would answer with a failed launch, or with wrong results. The message names kernel, PTX line and thread.</summary>
/// <param name="kind">The kind of fault.</param>
/// <param name="message">What happened, and where.</param>
public sealed class PtxFaultException(PtxFaultKind kind, string message) : Exception(message)
{
    /// <summary>The kind of fault.</summary>
    public PtxFaultKind Kind => kind;
}
