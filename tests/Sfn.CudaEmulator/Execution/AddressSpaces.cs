namespace Sfn.CudaEmulator;

/// <summary>
/// Where the spaces lie. Shared and local addresses begin at <see cref="Base"/>, so that a forgotten base, or zero, is never a valid address. As generic
/// addresses they lie in windows that no allocation of the host reaches.
/// </summary>
internal static class AddressSpaces
{
    public const int Base = 1024;
    public const ulong SharedWindow = 1UL << 56;
    public const ulong LocalWindow = 2UL << 56;
}
