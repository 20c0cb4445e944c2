using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Sfn.IO;

namespace Sfn.Train;

/// <summary>A text split into training and validation tokens, both memory-mapped.</summary>
public sealed class Corpus : IDisposable
{
    private Corpus(string description, ITokenizer tokenizer, TokenFile training, TokenFile validation, string sha256, long trainingBytes, long validationBytes)
    {
        (Description, Tokenizer, Training, Validation) = (description, tokenizer, training, validation);
        (Sha256, TrainingBytes, ValidationBytes) = (sha256, trainingBytes, validationBytes);
    }

    /// <summary>What the text is, for people: a path, or the SDK and its version.</summary>
    public string Description { get; }

    /// <summary>The tokenizer of both splits.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>Training tokens.</summary>
    public TokenFile Training { get; }

    /// <summary>Validation tokens.</summary>
    public TokenFile Validation { get; }

    /// <summary>SHA-256 (lower-case hex) of the training bytes followed by the validation bytes; for a single file that is the file's own.</summary>
    public string Sha256 { get; }

    /// <summary>UTF-8 bytes of the training text.</summary>
    public long TrainingBytes { get; }

    /// <summary>UTF-8 bytes of the validation text.</summary>
    public long ValidationBytes { get; }

    /// <summary>Bytes per validation token: bits per byte = loss / ln 2 / this.</summary>
    public double ValidationBytesPerToken => (double)ValidationBytes / Validation.Count;

    /// <summary>Reads, checks, splits and tokenizes the data; the tokens come from the cache if they are there.</summary>
    /// <exception cref="InputError">
    /// Missing, empty or too short data, data that is not text, an unknown character or tokenizer, a wrong share, no SDK.
    /// </exception>
    public static Corpus Load(DataOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Existing is null && options.Tokenizer is not ("bytes" or "chars"))
            throw new InputError($"--tokenizer must be bytes or chars, not {options.Tokenizer}");
        string cache = options.CacheFolder ?? CacheFolder.Default();
        var split = CorpusSplit.Make(options, cache);
        var (sha, characters) = Survey(split, collect: options.Existing is null && options.Tokenizer == "chars");
        var tokenizer = options.Existing?.Create() ?? (options.Tokenizer == "chars" ? new CharTokenizer(characters) : ByteTokenizer.Instance);
        string file = Path.Combine(cache, "tokens", Key(sha, split.TrainingBytes, tokenizer));
        TokenFile? training = null, validation = null;
        try
        {
            training = Tokens(file + "-training.tok", tokenizer, split.Training);
            validation = Tokens(file + "-validation.tok", tokenizer, split.Validation);
            Enough(training, options.Context, "training", split.Description);
            Enough(validation, options.Context, "validation", split.Description);
            return new Corpus(split.Description, tokenizer, training, validation, sha, split.TrainingBytes, split.ValidationBytes);
        }
        catch
        {
            training?.Dispose();
            validation?.Dispose();
            throw;
        }
    }

    /// <summary>Unmaps both token files.</summary>
    public void Dispose()
    {
        Training.Dispose();
        Validation.Dispose();
    }

    private static (string Sha256, HashSet<Rune> Characters) Survey(CorpusSplit split, bool collect)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var characters = new HashSet<Rune>();
        foreach (var source in split.Training)
        {
            source.Walk(bytes =>
            {
                hash.AppendData(bytes);
                if (!collect) return;
                while (bytes.Length > 0)
                {
                    Rune.DecodeFromUtf8(bytes, out var rune, out int length);
                    characters.Add(rune);
                    bytes = bytes[length..];
                }
            });
        }
        foreach (var source in split.Validation) source.Walk(hash.AppendData);
        return (Convert.ToHexStringLower(hash.GetHashAndReset()), characters);
    }

    // Everything the token files depend on: the text, where it is split, the tokenizer.
    private static string Key(string sha256, long trainingBytes, ITokenizer tokenizer)
    {
        string all = string.Create(CultureInfo.InvariantCulture, $"{sha256}|{trainingBytes}|{tokenizer.Name}|{tokenizer.Describe().Characters}");
        return $"{tokenizer.Name}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(all)))[..32]}";
    }

    private static TokenFile Tokens(string path, ITokenizer tokenizer, IReadOnlyList<TextSource> sources)
    {
        if (File.Exists(path))
        {
            try { return TokenFile.Open(path, tokenizer.VocabularySize); }
            catch (InputError)
            {
                // A damaged cache file is replaced below.
            }
        }
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.Write(path, stream =>
        {
            using var writer = new TokenFileWriter(stream, tokenizer.VocabularySize);
            foreach (var source in sources) Encode(source, tokenizer, writer);
            writer.Complete();
        });
        return TokenFile.Open(path, tokenizer.VocabularySize);
    }

    private static void Encode(TextSource source, ITokenizer tokenizer, TokenFileWriter writer)
    {
        var characters = tokenizer as CharTokenizer;
        long position = source.Offset;
        source.Walk(bytes =>
        {
            if (characters is null)
            {
                writer.Write(bytes);
                return;
            }
            while (bytes.Length > 0)
            {
                Rune.DecodeFromUtf8(bytes, out var rune, out int length);
                if (!characters.TryToken(rune, out int token)) throw characters.Unknown(rune, $"{source.Name}, byte {position}");
                writer.Write(token);
                position += length;
                bytes = bytes[length..];
            }
        });
    }

    private static void Enough(TokenFile tokens, int context, string split, string description)
    {
        if (tokens.Count > context) return;
        throw new InputError($"{description}: the {split} split has {tokens.Count} tokens, fewer than the {context + 1} that a context of {context} needs; " +
            "give more text, a smaller --context or another --validation");
    }
}
