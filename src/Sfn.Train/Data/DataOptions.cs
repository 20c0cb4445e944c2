using System.Globalization;

namespace Sfn.Train;

/// <summary>Which text to train on.</summary>
public sealed record DataOptions
{
    /// <summary>The name of the built-in corpus, <see cref="SdkDocs"/>.</summary>
    public const string SdkDocsName = "sdk-docs";

    /// <summary>A text file, a folder (its *.txt files in ordinal order), or "sdk-docs".</summary>
    public string Data { get; init; } = SdkDocsName;

    /// <summary>A share above 0 and below 1, or a text file; null for the default: the last 10 % of files, 5 % of the types of sdk-docs.</summary>
    public string? Validation { get; init; }

    /// <summary>"bytes" or "chars".</summary>
    public string Tokenizer { get; init; } = "bytes";

    /// <summary>A tokenizer made before (of a run that is resumed or evaluated); null to make one for the data.</summary>
    public TokenizerDescription? Existing { get; init; }

    /// <summary>Tokens the model sees at once: each split needs one more.</summary>
    public int Context { get; init; } = 256;

    /// <summary>Where token files are kept; null for <see cref="CacheFolder.Default"/>.</summary>
    public string? CacheFolder { get; init; }

    /// <summary>The validation share, or null if <see cref="Validation"/> names a file.</summary>
    /// <exception cref="InputError">A number that is no share.</exception>
    internal double? ValidationShare(double standard)
    {
        if (Validation is null) return standard;
        if (!double.TryParse(Validation, NumberStyles.Float, CultureInfo.InvariantCulture, out double share) || File.Exists(Validation)) return null;
        return share > 0 && share < 1 ? share : throw new InputError($"--validation must be a share above 0 and below 1 or a text file, not {Validation}");
    }
}
