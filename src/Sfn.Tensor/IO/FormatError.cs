namespace Sfn;

/// <summary>
/// A file is not what its format promises. The message names the file, what is wrong in it and the likely fix, in one line.
/// </summary>
public sealed class FormatError : Exception
{
    /// <summary>Makes the error "FILE: problem; fix".</summary>
    /// <param name="file">The file's path or name.</param>
    /// <param name="problem">What is wrong, with the values.</param>
    /// <param name="fix">What the reader of the message can do.</param>
    /// <param name="inner">The exception behind it, if any.</param>
    public FormatError(string file, string problem, string fix, Exception? inner = null)
        : base($"{file}: {problem}; {fix}", inner)
    {
        File = file;
    }

    /// <summary>The file the error is about.</summary>
    public string File { get; }
}
