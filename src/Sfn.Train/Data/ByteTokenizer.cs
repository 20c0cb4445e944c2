using System.Text;

namespace Sfn.Train;

/// <summary>One token per byte of the UTF-8 text: 256 tokens, any language, nothing unknown.</summary>
public sealed class ByteTokenizer : ITokenizer
{
    private ByteTokenizer()
    {
    }

    /// <summary>The one instance: it has no state.</summary>
    public static ByteTokenizer Instance { get; } = new();

    /// <inheritdoc/>
    public string Name => "bytes";

    /// <inheritdoc/>
    public int VocabularySize => 256;

    /// <inheritdoc/>
    public int[] Encode(string text) => Array.ConvertAll(Encoding.UTF8.GetBytes(text), b => (int)b);

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> tokens)
    {
        byte[] bytes = new byte[tokens.Length];
        for (int i = 0; i < bytes.Length; i++) bytes[i] = Byte(tokens[i]);
        return Encoding.UTF8.GetString(bytes);
    }

    /// <inheritdoc/>
    public TokenDecoder StartDecoding() => new Utf8TokenDecoder();

    /// <inheritdoc/>
    public TokenizerDescription Describe() => new(Name);

    private static byte Byte(int token) =>
        (uint)token < 256 ? (byte)token : throw new InputError($"token {token} is no byte (0 to 255); the tokens come from another tokenizer");

    private sealed class Utf8TokenDecoder : TokenDecoder
    {
        private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

        public override string Next(int token) => Convert([Byte(token)], flush: false);

        public override string Finish() => Convert([], flush: true);

        private string Convert(ReadOnlySpan<byte> bytes, bool flush)
        {
            Span<char> text = stackalloc char[8];
            int count = _decoder.GetChars(bytes, text, flush);
            return new string(text[..count]);
        }
    }
}
