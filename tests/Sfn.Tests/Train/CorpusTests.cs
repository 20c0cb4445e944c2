using System.Security.Cryptography;
using System.Text;
using Sfn.Train;

namespace Sfn.Tests.Train;

public class CorpusTests
{
    private static string Text(int words) => string.Join(' ', Enumerable.Range(0, words).Select(i => "wörd" + i));

    private static DataOptions Options(TemporaryFolder folder, string data) => new() { Data = folder[data], Context = 16, CacheFolder = folder["cache"] };

    private static string ReadAll(TokenFile file, ITokenizer tokenizer)
    {
        int[] tokens = new int[file.Count];
        file.Read(0, tokens);
        return tokenizer.Decode(tokens);
    }

    private static string Refusal(DataOptions options)
    {
        string message = Assert.Throws<InputError>(() => Corpus.Load(options).Dispose()).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }

    [Theory]
    [InlineData("bytes")]
    [InlineData("chars")]
    public void The_last_tenth_of_a_file_is_validation(string tokenizer)
    {
        using var folder = new TemporaryFolder();
        string text = Text(2000);
        File.WriteAllText(folder["a.txt"], text);
        // A second round reads the cache, a third one after damage makes it again.
        for (int round = 0; round < 3; round++)
        {
            using var corpus = Corpus.Load(Options(folder, "a.txt") with { Tokenizer = tokenizer });
            Assert.Equal(text, ReadAll(corpus.Training, corpus.Tokenizer) + ReadAll(corpus.Validation, corpus.Tokenizer));
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(folder["a.txt"]))), corpus.Sha256);
            Assert.InRange(corpus.ValidationBytes / (double)(corpus.TrainingBytes + corpus.ValidationBytes), 0.0995, 0.1005);
            Assert.Equal(tokenizer == "bytes" ? 1.0 : Encoding.UTF8.GetByteCount(text) / (double)text.Length, corpus.ValidationBytesPerToken, 0.02);
            if (round == 1) foreach (string file in Directory.GetFiles(folder["cache"], "*.tok", SearchOption.AllDirectories)) File.AppendAllText(file, "x");
        }
    }

    [Fact]
    public void A_folder_is_its_txt_files_in_order_and_validation_may_be_a_share_or_a_file()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["d"]);
        File.WriteAllText(folder["d/b.txt"], new string('b', 400));
        File.WriteAllText(folder["d/a.txt"], new string('a', 400));
        File.WriteAllText(folder["d/empty.txt"], "");
        File.WriteAllText(folder["d/c.md"], "ignored");
        File.WriteAllText(folder["v.txt"], new string('v', 100));
        using (var corpus = Corpus.Load(Options(folder, "d") with { Validation = "0.75" }))
        {
            Assert.Equal(new string('a', 200), ReadAll(corpus.Training, corpus.Tokenizer));
            Assert.Equal(new string('a', 200) + new string('b', 400), ReadAll(corpus.Validation, corpus.Tokenizer));
        }
        using (var corpus = Corpus.Load(Options(folder, "d") with { Validation = folder["v.txt"] }))
        {
            Assert.Equal(new string('a', 400) + new string('b', 400), ReadAll(corpus.Training, corpus.Tokenizer));
            Assert.Equal(new string('v', 100), ReadAll(corpus.Validation, corpus.Tokenizer));
        }
    }

    [Fact]
    public void Unusable_data_is_named_in_one_line()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["empty.txt"], "");
        File.WriteAllText(folder["short.txt"], "only a few bytes, not enough");
        File.WriteAllBytes(folder["binary.txt"], [.. Encoding.UTF8.GetBytes(Text(100)), 0, 1, 2]);
        File.WriteAllBytes(folder["latin1.txt"], [.. "Gr"u8, 0xFC, .. Encoding.UTF8.GetBytes(Text(100))]);
        File.WriteAllBytes(folder["cut.txt"], [.. Encoding.UTF8.GetBytes(Text(100)), 0xE4, 0xB8]);
        File.WriteAllText(folder["unknown.txt"], Text(100) + "ß");
        Directory.CreateDirectory(folder["none"]);
        int length = Encoding.UTF8.GetByteCount(Text(100));
        Assert.Contains("no such file", Refusal(Options(folder, "missing.txt")), StringComparison.Ordinal);
        Assert.Contains("is empty", Refusal(Options(folder, "empty.txt")), StringComparison.Ordinal);
        Assert.Contains("validation split has 3 tokens, fewer than the 17", Refusal(Options(folder, "short.txt")), StringComparison.Ordinal);
        Assert.Contains($"NUL byte at position {length}", Refusal(Options(folder, "binary.txt")), StringComparison.Ordinal);
        Assert.Contains("invalid UTF-8 at position 2 (byte 0xFC)", Refusal(Options(folder, "latin1.txt")), StringComparison.Ordinal);
        Assert.Contains($"invalid UTF-8 at position {length}", Refusal(Options(folder, "cut.txt")), StringComparison.Ordinal);
        Assert.Contains($"byte {length}: the character 'ß'", Refusal(Options(folder, "unknown.txt") with { Tokenizer = "chars" }), StringComparison.Ordinal);
        Assert.Contains("no *.txt file", Refusal(Options(folder, "none")), StringComparison.Ordinal);
        Assert.Contains("--tokenizer", Refusal(Options(folder, "short.txt") with { Tokenizer = "words" }), StringComparison.Ordinal);
        foreach (string share in new[] { "0", "1", "-0.1", "NaN" })
            Assert.Contains("--validation", Refusal(Options(folder, "unknown.txt") with { Validation = share }), StringComparison.Ordinal);
        Assert.Contains("no such file", Refusal(Options(folder, "unknown.txt") with { Validation = folder["nowhere"] }), StringComparison.Ordinal);
    }

    [Fact]
    public void Characters_are_never_cut_between_chunks_or_splits()
    {
        using var folder = new TemporaryFolder();
        // Three-byte characters: neither a chunk of 2^20 bytes nor a split at 90 % ends on a whole one.
        string text = new('世', 700_001);
        File.WriteAllText(folder["a.txt"], text);
        using var corpus = Corpus.Load(Options(folder, "a.txt") with { Tokenizer = "chars" });
        Assert.Equal(text.Length, corpus.Training.Count + corpus.Validation.Count);
        Assert.Equal(0, corpus.TrainingBytes % 3);
    }

    [Fact]
    public void Token_files_refuse_tokens_outside_the_vocabulary_and_damage()
    {
        using var folder = new TemporaryFolder();
        foreach (int vocabulary in new[] { 200, 1000 })
        {
            using (var stream = File.Create(folder["t"]))
            {
                using var writer = new TokenFileWriter(stream, vocabulary);
                for (int i = 0; i < 5000; i++) writer.Write(i == 4321 ? 199 : i % 100);
                Assert.Throws<InputError>(() => writer.Write(vocabulary));
                writer.Complete();
            }
            using (var file = TokenFile.Open(folder["t"], 200))
            {
                int[] token = new int[2];
                file.Read(4320, token);
                Assert.Equal([20, 199], token);
                Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(4999, token));
                Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(-1, token));
            }
            Assert.Contains("token 199 at position 4321", Assert.Throws<InputError>(() => TokenFile.Open(folder["t"], 150)).Message, StringComparison.Ordinal);
            byte[] good = File.ReadAllBytes(folder["t"]);
            var random = new Random(1);
            for (int i = 0; i < 50; i++)
            {
                byte[] bad = [.. good];
                bad[i < 20 ? random.Next(24) : random.Next(bad.Length)] ^= (byte)(1 << random.Next(8));
                if (i % 5 == 0) bad = bad[..random.Next(bad.Length)];
                File.WriteAllBytes(folder["bad"], bad);
                Assert.Throws<InputError>(() => TokenFile.Open(folder["bad"], 1000).Dispose());
            }
        }
    }
}
