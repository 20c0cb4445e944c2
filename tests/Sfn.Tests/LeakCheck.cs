namespace Sfn.Tests;

/// <summary>
/// Base of tests whose tensors all live in scopes and tapes: after each test the live bytes of both host devices are what they were before,
/// without help from the garbage collector, and no storage has raised the alarm of an abandoned scope.
/// </summary>
public abstract class LeakCheck : IDisposable
{
    private readonly long _cpu, _reference;
    private readonly int _leaks;

    protected LeakCheck()
    {
        // Takes in what earlier tests left to the garbage collector, so that it does not hide a leak of this one.
        Memory.Trim(Device.Cpu);
        Memory.Trim(Device.Reference);
        _cpu = Memory.Live(Device.Cpu);
        _reference = Memory.Live(Device.Reference);
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
            Memory.Trim(Device.Cpu);
            Memory.Trim(Device.Reference);
        }
        long cpu = Memory.Live(Device.Cpu) - _cpu, reference = Memory.Live(Device.Reference) - _reference;
        Assert.True(cpu <= 0, $"{cpu} bytes of the CPU device were not freed.");
        Assert.True(reference <= 0, $"{reference} bytes of the reference device were not freed.");
        Assert.Equal(_leaks, Memory.Leaks);
    }
}
