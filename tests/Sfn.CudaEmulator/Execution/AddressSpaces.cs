namespace Sfn.CudaEmulator.Execution;

/// <summary>Where shared and local memory lie among generic addresses: in ranges that no allocation of the process can have.</summary>
internal static class AddressSpaces
{
    public const ulong SharedWindow = 0x7F00_0000_0000_0000, LocalWindow = 0x7E00_0000_0000_0000, WindowBytes = 1UL << 32;

    /// <summary>What registers, shared and local memory hold before anything is written: a NaN as float32, and an address that is nowhere.</summary>
    public const uint Garbage = 0x7FC1_2345;
}
