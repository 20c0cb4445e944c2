using CsCheck;
using Sfn.Train;

namespace Sfn.Tests.Train;

public class TokenizerTests
{
    private const string Sample = "Grüße, 世界! 👩‍🚀 naïve\r\n";

    [Fact]
    public void Bytes_and_chars_round_trip()
    {
        Gen.String.Where(s => s.Length > 0 && System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(s)) == s).Sample(text =>
        {
            foreach (ITokenizer tokenizer in new ITokenizer[] { ByteTokenizer.Instance, new CharTokenizer(text) })
            {
                int[] tokens = tokenizer.Encode(text);
                Assert.All(tokens, token => Assert.InRange(token, 0, tokenizer.VocabularySize - 1));
                Assert.Equal(text, tokenizer.Decode(tokens));
                var stream = tokenizer.Describe().Create().StartDecoding();
                Assert.Equal(text, string.Concat(tokens.Select(stream.Next)) + stream.Finish());
            }
        }, iter: 200);
    }

    [Fact]
    public void A_stream_never_shows_half_a_character()
    {
        var stream = ByteTokenizer.Instance.StartDecoding();
        var pieces = ByteTokenizer.Instance.Encode(Sample).Select(stream.Next).Where(p => p.Length > 0).ToList();
        Assert.Equal(Sample, string.Concat(pieces));
        Assert.DoesNotContain(pieces, p => p.Contains('\ufffd') || p.Length == 1 && char.IsSurrogate(p[0]));
        Assert.Equal("", stream.Next(0xE4));
        Assert.Equal("\ufffd", stream.Finish());
        Assert.Equal("\ufffdA", stream.Next(0x80) + stream.Next('A'));
    }

    [Fact]
    public void Characters_are_sorted_and_unknown_ones_named()
    {
        var tokenizer = new CharTokenizer("banana👍");
        Assert.Equal("abn👍", tokenizer.Describe().Characters);
        Assert.Equal([1, 0, 2, 3], tokenizer.Encode("ban👍"));
        var error = Assert.Throws<InputError>(() => tokenizer.Encode("abcn"));
        Assert.Contains("position 2: the character 'c' (U+0063)", error.Message, StringComparison.Ordinal);
        Assert.Contains("U+000A", Assert.Throws<InputError>(() => tokenizer.Encode("\n")).Message, StringComparison.Ordinal);
        Assert.Throws<InputError>(() => tokenizer.Decode([4]));
        Assert.Throws<InputError>(() => ByteTokenizer.Instance.Decode([-1]));
        Assert.Throws<InputError>(() => new CharTokenizer(""));
        Assert.Throws<InputError>(() => new TokenizerDescription("words").Create());
    }
}
