using System.Text;

namespace Sfn.Train;

/// <summary>One token per Unicode character (scalar value) of the training text, numbered in code point order.</summary>
public sealed class CharTokenizer : ITokenizer
{
    private readonly Rune[] _characters;
    private readonly Dictionary<Rune, int> _numbers;

    /// <summary>Makes the tokenizer of the given characters; repetitions are ignored.</summary>
    /// <exception cref="InputError">No characters, or more than 65,536.</exception>
    public CharTokenizer(string characters) : this((characters ?? throw new ArgumentNullException(nameof(characters))).EnumerateRunes())
    {
    }

    /// <summary>Makes the tokenizer of the given characters; repetitions are ignored.</summary>
    /// <exception cref="InputError">No characters, or more than 65,536.</exception>
    public CharTokenizer(IEnumerable<Rune> characters)
    {
        _characters = [.. characters.Distinct().Order()];
        if (_characters.Length is 0 or > 65_536)
            throw new InputError($"a tokenizer of {_characters.Length} characters is not possible (1 to 65,536); use --tokenizer bytes");
        _numbers = new Dictionary<Rune, int>(_characters.Length);
        for (int i = 0; i < _characters.Length; i++) _numbers.Add(_characters[i], i);
    }

    /// <inheritdoc/>
    public string Name => "chars";

    /// <inheritdoc/>
    public int VocabularySize => _characters.Length;

    /// <inheritdoc/>
    public int[] Encode(string text)
    {
        var tokens = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            tokens.Add(TryToken(rune, out int token) ? token : throw Unknown(rune, $"the text, position {tokens.Count}"));
        return [.. tokens];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> tokens)
    {
        var text = new StringBuilder(tokens.Length);
        foreach (int token in tokens) text.Append(Character(token).ToString());
        return text.ToString();
    }

    /// <inheritdoc/>
    public TokenDecoder StartDecoding() => new CharDecoder(this);

    /// <inheritdoc/>
    public TokenizerDescription Describe() => new(Name, string.Concat(_characters));

    internal bool TryToken(Rune rune, out int token) => _numbers.TryGetValue(rune, out token);

    /// <summary>The error for a character that is not in the vocabulary.</summary>
    /// <param name="rune">The character.</param>
    /// <param name="place">Where it stands.</param>
    internal InputError Unknown(Rune rune, string place) => new(
        $"{place}: the character {Show(rune)} is not among the {VocabularySize} of the training text, so there is no token for it; " +
        "remove it or use --tokenizer bytes");

    private static string Show(Rune rune) => Rune.IsControl(rune) ? $"U+{rune.Value:X4}" : $"'{rune}' (U+{rune.Value:X4})";

    private Rune Character(int token) => (uint)token < (uint)_characters.Length
        ? _characters[token]
        : throw new InputError($"token {token} lies outside the vocabulary of {_characters.Length} characters");

    private sealed class CharDecoder(CharTokenizer tokenizer) : TokenDecoder
    {
        public override string Next(int token) => tokenizer.Character(token).ToString();

        public override string Finish() => "";
    }
}
