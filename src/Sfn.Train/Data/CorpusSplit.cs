namespace Sfn.Train;

/// <summary>The pieces of text that make up training and validation, in order.</summary>
internal sealed record CorpusSplit(string Description, IReadOnlyList<TextSource> Training, IReadOnlyList<TextSource> Validation)
{
    private const double LastPart = 0.1;

    public long TrainingBytes => Training.Sum(s => s.Length);

    public long ValidationBytes => Validation.Sum(s => s.Length);

    /// <summary>Finds the data and splits it as the options say.</summary>
    public static CorpusSplit Make(DataOptions options, string cacheFolder)
    {
        // A folder or file that is really called sdk-docs can be given as ./sdk-docs.
        bool sdk = options.Data == DataOptions.SdkDocsName;
        double? share = options.ValidationShare(sdk ? SdkDocs.DefaultValidation : LastPart);
        if (sdk)
        {
            var text = share is null ? SdkDocs.Load(cacheFolder) : SdkDocs.Load(cacheFolder, share.Value);
            var training = TextSource.FromMemory("the .NET documentation", text.Training);
            var validation = TextSource.FromMemory("the .NET documentation", text.Validation);
            string description = $"API documentation of the .NET SDK {text.Version}";
            // With a validation file of the user's own, the held-out types stay out: the figures of both runs compare.
            return new CorpusSplit(description, [training], share is null ? [NotEmpty(TextSource.FromFile(options.Validation!))] : [validation]);
        }
        var sources = Sources(options.Data);
        if (share is null) return new CorpusSplit(options.Data, sources, [NotEmpty(TextSource.FromFile(options.Validation!))]);
        return Cut(options.Data, sources, share.Value);
    }

    private static CorpusSplit Cut(string description, List<TextSource> sources, double share)
    {
        long left = sources.Sum(s => s.Length);
        left -= (long)Math.Ceiling(left * share);
        var training = new List<TextSource>();
        var validation = new List<TextSource>();
        foreach (var source in sources)
        {
            if (left >= source.Length) training.Add(source);
            else if (left <= 0) validation.Add(source);
            else
            {
                var (first, second) = source.Cut(left);
                training.Add(first);
                if (second.Length > 0) validation.Add(second);
            }
            left -= source.Length;
        }
        return new CorpusSplit(description, training, validation);
    }

    private static List<TextSource> Sources(string data)
    {
        if (!Directory.Exists(data)) return [NotEmpty(TextSource.FromFile(data))];
        try
        {
            var sources = Directory.GetFiles(data, "*.txt").Order(StringComparer.Ordinal).Select(TextSource.FromFile).Where(s => s.Length > 0).ToList();
            if (sources.Count == 0) throw new InputError($"{data}: the folder has no *.txt file with text in it (sub-folders are not searched)");
            return sources;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputError($"{data}: the folder cannot be read ({error.Message})", error);
        }
    }

    private static TextSource NotEmpty(TextSource source) =>
        source.Length > 0 ? source : throw new InputError($"{source.Name} is empty; give a file with text in it");
}
