using System.Runtime.InteropServices;

namespace Sfn.Cli.Commands;

/// <summary>
/// Ctrl-C and SIGTERM as a request to end in good order; the second one ends the process at once. Works the same on Windows, where .NET maps console events.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private int _count;

    /// <param name="onFirst">Tells the person that the request was understood; runs on another thread.</param>
    public Interrupts(Action? onFirst = null) => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Handle(context, Failure.Interrupted, onFirst)),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Handle(context, Failure.Terminated, onFirst)),
    ];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Whether a signal came.</summary>
    public bool Requested => _source.IsCancellationRequested;

    /// <summary>The exit code for the signal that came: 130 for Ctrl-C, 143 for SIGTERM.</summary>
    public int ExitCode { get; private set; }

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
        _source.Dispose();
    }

    private void Handle(PosixSignalContext context, int code, Action? onFirst)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref _count) > 1)
        {
            // A live display has hidden the cursor.
            if (!Console.IsOutputRedirected) Console.Write("\e[?25h\n");
            Environment.Exit(code);
        }
        ExitCode = code;
        _source.Cancel();
        onFirst?.Invoke();
    }
}
