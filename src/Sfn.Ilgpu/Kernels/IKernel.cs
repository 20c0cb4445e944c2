using global::ILGPU;
using global::ILGPU.Runtime;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// A kernel as a type: its generic arguments are the op bodies and element types it is compiled for. The type is the key it is cached by, and
/// the list of all kernels is the list of all types that implement this.
/// </summary>
internal interface IKernel
{
    /// <summary>What profilers show: the op, the variant, the element types.</summary>
    static abstract string Name { get; }

    /// <summary>The kernel's method, a static method over views and structs of plain fields, explicitly grouped.</summary>
    static abstract Delegate Body { get; }

    /// <summary>Threads per group at most, and groups per multiprocessor at least: bounds the registers.</summary>
    static virtual KernelSpecialization Bounds => new(Threads, null);

    /// <summary>Whether the engine launches this combination of types, for the catalogue of kernels.</summary>
    static virtual bool IsLaunched => true;

    /// <summary>Threads per group unless a kernel says otherwise.</summary>
    const int Threads = 256;

    /// <summary>This thread's number among all of a one-dimensional launch.</summary>
    static int Global => Grid.IdxX * Group.DimX + Group.IdxX;
}
