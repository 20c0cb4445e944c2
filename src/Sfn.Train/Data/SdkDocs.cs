using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Xml;
using Sfn.IO;

namespace Sfn.Train;

/// <summary>The API documentation of the user's own .NET SDK as a corpus: real English that every machine with an SDK already has.</summary>
/// <remarks>
/// One record per documented member, separated by an empty line; equal records appear once. Validation takes whole types (a type with its nested types, its
/// generic variants and all their members), chosen by a hash of the name, so that the split is the same on every machine and in every version.
/// </remarks>
public static class SdkDocs
{
    // Part of the cache's key: raise it when the extraction changes, or old caches would go on serving the old text.
    private const int ExtractionVersion = 1;

    /// <summary>The share of types that is held out for validation.</summary>
    public const double DefaultValidation = 0.05;

    /// <summary>The records of both splits, in the order of the files.</summary>
    /// <param name="Training">Training records; none of them occurs in <paramref name="Validation"/>.</param>
    /// <param name="Validation">Validation records.</param>
    /// <param name="Types">Number of types in all.</param>
    /// <param name="ValidationTypes">Number of types held out.</param>
    public sealed record Records(IReadOnlyList<string> Training, IReadOnlyList<string> Validation, int Types, int ValidationTypes);

    /// <summary>The two texts as UTF-8.</summary>
    /// <param name="Version">The SDK pack's version.</param>
    /// <param name="Training">Training text.</param>
    /// <param name="Validation">Validation text.</param>
    public sealed record Text(string Version, byte[] Training, byte[] Validation);

    /// <summary>The texts of this machine's SDK, from the cache if they are there.</summary>
    /// <param name="cacheFolder">Where to keep the texts; null for <see cref="CacheFolder.Default"/>.</param>
    /// <param name="validation">Share of types held out, above 0 and at most 0.5.</param>
    /// <exception cref="InputError">The machine has no .NET SDK.</exception>
    public static Text Load(string? cacheFolder = null, double validation = DefaultValidation)
    {
        var found = SdkFolder.Find() ?? throw new InputError(
            "no .NET SDK with API documentation was found on this machine (packs/Microsoft.NETCore.App.Ref); give a text file or folder instead: --data FILE");
        return Load(found, cacheFolder ?? CacheFolder.Default(), validation);
    }

    /// <summary>The texts of a given documentation folder; see <see cref="Load(string?, double)"/>.</summary>
    public static Text Load(SdkFolder.Found folder, string cacheFolder, double validation = DefaultValidation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!(validation > 0 && validation <= 0.5)) throw new InputError($"--validation must be a share above 0 and at most 0.5, not {validation}");
        string key = Fnv(string.Create(CultureInfo.InvariantCulture, $"{folder.Path}|{validation:R}")).ToString("x16", CultureInfo.InvariantCulture);
        string cache = Path.Combine(cacheFolder, $"sdk-docs-{folder.Version}-v{ExtractionVersion}-{key}.bin");
        if (TryReadCache(cache) is { } cached) return new Text(folder.Version, cached.Training, cached.Validation);
        var records = Read(folder.Path, validation);
        if (records.Training.Count == 0 || records.Validation.Count == 0)
        {
            throw new InputError(
                $"the .NET documentation in {folder.Path} holds too little text ({records.Types} types); give a text file or folder instead: --data FILE");
        }
        byte[] training = Join(records.Training), held = Join(records.Validation);
        Directory.CreateDirectory(cacheFolder);
        AtomicFile.Write(cache, stream => WriteCache(stream, training, held));
        return new Text(folder.Version, training, held);
    }

    /// <summary>Extracts and splits the records of all *.xml files of a folder.</summary>
    /// <exception cref="InputError">A file cannot be read.</exception>
    public static Records Read(string folder, double validation = DefaultValidation)
    {
        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, CheckCharacters = false };
        var members = new List<(string Name, string Text)>();
        foreach (string file in Directory.GetFiles(folder, "*.xml").Order(StringComparer.Ordinal))
        {
            try
            {
                using var stream = File.OpenRead(file);
                using var reader = XmlReader.Create(stream, settings);
                while (reader.ReadToFollowing("member"))
                    if (DocText.Read(reader) is { } member) members.Add(member);
            }
            catch (Exception error) when (error is XmlException or IOException or UnauthorizedAccessException)
            {
                throw new InputError($"{file}: the documentation cannot be read ({error.Message}); repair the .NET SDK or give --data FILE", error);
            }
        }
        var types = members.Where(m => m.Name[0] == 'T').Select(m => m.Name[2..]).ToHashSet(StringComparer.Ordinal);
        var families = new Dictionary<string, bool>(StringComparer.Ordinal);
        var training = new List<string>();
        var candidates = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, text) in members)
        {
            string family = Family(name, types);
            bool held = Fnv(family) % 1_000_000 < (ulong)(validation * 1_000_000);
            families.TryAdd(family, held);
            if (held) candidates.Add(text);
            else if (seen.Add(text)) training.Add(text);
        }
        // `seen` now holds every training record, so a record that occurs in both stays out of validation.
        var validationRecords = candidates.Where(seen.Add).ToList();
        return new Records(training, validationRecords, families.Count, families.Values.Count(held => held));
    }

    /// <summary>The outermost type of a member without generic arity: what the split keeps together.</summary>
    internal static string Family(string memberId, IReadOnlySet<string> types)
    {
        string type = MemberName.DeclaringType(memberId);
        for (int dot = type.LastIndexOf('.'); dot > 0; dot = type.LastIndexOf('.', dot - 1))
            if (types.Contains(type[..dot])) type = type[..dot];
        return MemberName.WithoutArity(type);
    }

    // FNV-1a and a final mix: stable across processes and versions, which string.GetHashCode is not.
    private static ulong Fnv(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (byte b in Encoding.UTF8.GetBytes(text)) hash = (hash ^ b) * 1099511628211;
        hash ^= hash >> 32;
        hash *= 0x9E3779B97F4A7C15;
        return hash ^ (hash >> 29);
    }

    private static byte[] Join(IReadOnlyList<string> records) => Encoding.UTF8.GetBytes(string.Join("\n\n", records) + "\n\n");

    // Cache: SHA-256 of everything behind it, length of the training text (8 bytes), training text, validation text.
    private static void WriteCache(Stream stream, byte[] training, byte[] validation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] length = BitConverter.GetBytes(training.LongLength);
        hash.AppendData(length);
        hash.AppendData(training);
        hash.AppendData(validation);
        stream.Write(hash.GetHashAndReset());
        stream.Write(length);
        stream.Write(training);
        stream.Write(validation);
    }

    private static (byte[] Training, byte[] Validation)? TryReadCache(string file)
    {
        byte[] all;
        try
        {
            if (!File.Exists(file)) return null;
            all = File.ReadAllBytes(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { return null; }
        if (all.Length < 40 || !SHA256.HashData(all.AsSpan(32)).AsSpan().SequenceEqual(all.AsSpan(0, 32))) return null;
        long length = BitConverter.ToInt64(all, 32);
        if (length < 0 || length > all.Length - 40) return null;
        return (all[40..(40 + (int)length)], all[(40 + (int)length)..]);
    }
}
