using System.Reflection;
using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Cli;

/// <summary>How the command ends when it cannot do what it was asked: one line on standard error and an exit code, never a stack trace.</summary>
/// <remarks>The stack trace of any failure is printed with SFN_DEBUG=1.</remarks>
internal static class Failure
{
    /// <summary>Bad input, bad data, no room on disk or in memory: the user can do something about it.</summary>
    public const int BadInput = InputError.ExitCode;

    /// <summary>A defect of the program (EX_SOFTWARE of sysexits.h), or of the device that it computes on.</summary>
    public const int Defect = 70;

    /// <summary>Ended by a signal: 128 and its number, as shells report it. 130 is Ctrl-C.</summary>
    public const int Interrupted = 130, Terminated = 143;

    /// <summary>Reports the failure and returns the exit code.</summary>
    public static int Report(Exception error)
    {
        var (message, code) = Describe(Cause(error));
        Report(message);
        if (Environment.GetEnvironmentVariable("SFN_DEBUG") == "1") Console.Error.WriteLine(error);
        return code;
    }

    /// <summary>Prints one line.</summary>
    public static void Report(string message) => Console.Error.WriteLine($"error: {OneLine(message)}");

    // Wrappers say nothing of their own; a kernel that ran out of memory on a worker thread comes as a failed kernel.
    private static Exception Cause(Exception error)
    {
        while (error.InnerException is { } inner
            && (error is AggregateException or TargetInvocationException or TypeInitializationException
                || (inner is OutOfMemoryException or OutOfDeviceMemory or DeviceLost && error is not (OutOfDeviceMemory or DeviceLost))))
            error = inner;
        return error;
    }

    private static (string Message, int Code) Describe(Exception error) => error switch
    {
        DeviceLost => (error.Message, Defect),
        InputError or ConfigError or FormatError or SfnError => (error.Message, BadInput),
        IOException or UnauthorizedAccessException => (error.Message, BadInput),
        OutOfMemoryException => (
            "there is not enough memory; try a smaller --batch (with --accumulate to match), --context or model (sfn info estimates what is needed)", BadInput),
        _ => ($"unexpected {error.GetType().Name}: {error.Message.TrimEnd('.')}. This is a defect of sfn; please report it with the output of SFN_DEBUG=1",
            Defect),
    };

    // A message may quote what the user typed: no line breaks and no escape sequences reach the terminal.
    private static string OneLine(string message) => string.Concat(message.ReplaceLineEndings(" ").Select(c => char.IsControl(c) ? '?' : c));
}
