namespace Sfn.Train;

/// <summary>Turns text into token numbers and back. Implementations are immutable and safe to use from several threads.</summary>
public interface ITokenizer
{
    /// <summary>The name the command knows it by: "bytes" or "chars".</summary>
    string Name { get; }

    /// <summary>Number of different tokens; tokens are 0 to this minus 1. At most 65,536.</summary>
    int VocabularySize { get; }

    /// <summary>The tokens of a text.</summary>
    /// <exception cref="InputError">The text has a character the tokenizer does not know.</exception>
    int[] Encode(string text);

    /// <summary>The text of tokens. Byte sequences that are not UTF-8 become U+FFFD.</summary>
    /// <exception cref="InputError">A token lies outside the vocabulary.</exception>
    string Decode(ReadOnlySpan<int> tokens);

    /// <summary>A decoder for tokens that arrive one by one.</summary>
    TokenDecoder StartDecoding();

    /// <summary>All that is needed to make the same tokenizer again.</summary>
    TokenizerDescription Describe();
}

/// <summary>A tokenizer as the run's configuration stores it.</summary>
/// <param name="Name">"bytes" or "chars".</param>
/// <param name="Characters">The vocabulary of "chars" in token order; null for "bytes".</param>
public sealed record TokenizerDescription(string Name, string? Characters = null)
{
    /// <summary>Makes the tokenizer.</summary>
    /// <exception cref="InputError">The description is not one of a known tokenizer.</exception>
    public ITokenizer Create() => (Name, Characters) switch
    {
        ("bytes", _) => ByteTokenizer.Instance,
        ("chars", { Length: > 0 } characters) => new CharTokenizer(characters),
        _ => throw new InputError($"the tokenizer '{Name}' of the configuration is unknown or incomplete; known are bytes and chars (with its characters)"),
    };
}

/// <summary>Turns a stream of tokens into text: each call returns the text that is complete by then, so a character is never shown in halves.</summary>
public abstract class TokenDecoder
{
    /// <summary>Takes one token and returns the text it completes, perhaps none.</summary>
    /// <exception cref="InputError">The token lies outside the vocabulary.</exception>
    public abstract string Next(int token);

    /// <summary>Ends the stream: an unfinished character becomes U+FFFD.</summary>
    public abstract string Finish();
}
