namespace Sfn.Train;

/// <summary>
/// The user's input cannot be used. The message is one line: what happened, where, and the likely fix. The command prints it and exits with
/// <see cref="ExitCode"/>.
/// </summary>
public sealed class InputError : Exception
{
    /// <summary>The command's exit code for bad input.</summary>
    public const int ExitCode = 2;

    /// <summary>Makes the error.</summary>
    public InputError(string message) : base(OneLine(message))
    {
    }

    /// <summary>Makes the error with the exception behind it.</summary>
    public InputError(string message, Exception inner) : base(OneLine(message), inner)
    {
    }

    private static string OneLine(string message) => message.ReplaceLineEndings(" ");
}
