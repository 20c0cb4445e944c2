namespace Sfn.Tests;

/// <summary>
/// Base of tests whose tensors all live in scopes and tapes: after each test the live bytes of the devices under test are what they were before,
/// without help from the garbage collector, and no storage has raised the alarm of an abandoned scope.
/// </summary>
public abstract class LeakCheck : IDisposable
{
    private static readonly Device[] s_devices = [.. new[] { Device.Cpu, Device.Reference, Gpu.TestDevices.Device }.Distinct()];
    private readonly long[] _live;
    private readonly int _leaks;

    protected LeakCheck()
    {
        // Takes in what earlier tests left to the garbage collector, so that it does not hide a leak of this one.
        foreach (var device in s_devices) Memory.Trim(device);
        _live = [.. s_devices.Select(Memory.Live)];
        _leaks = Memory.Leaks;
    }

    /// <summary>Whether tests make parameters, which live outside scopes: then the garbage collector is asked first.</summary>
    protected virtual bool HasParameters => false;

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        if (HasParameters)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            foreach (var device in s_devices) Memory.Trim(device);
        }
        for (int i = 0; i < _live.Length; i++)
        {
            long left = Memory.Live(s_devices[i]) - _live[i];
            Assert.True(left <= 0, $"{left} bytes of device {s_devices[i]} were not freed.");
        }
        Assert.Equal(_leaks, Memory.Leaks);
    }
}
