using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Cli.Commands;

/// <summary>Prints the text of a model while it is produced.</summary>
internal static class TextStream
{
    /// <summary>Tokens to begin with when no prompt is given: what stands before a record, or a line break, if the tokenizer knows it.</summary>
    public static int[] Start(TrainConfig config, ITokenizer tokenizer)
    {
        try { return tokenizer.Encode(config.Data == DataOptions.SdkDocsName ? "\n\n" : "\n"); }
        catch (InputError) { return [0]; }
    }

    /// <summary>
    /// Streams text to standard output and ends the line. With <paramref name="tidy"/> the text begins at its first visible character: white space and
    /// bytes that are no character, which a little-trained model likes to begin with, are left out there.
    /// </summary>
    /// <returns>The exit code: 0, or that of the signal that ended it.</returns>
    public static int Write(Transformer model, ITokenizer tokenizer, int[] prompt, int tokens, Sampling sampling, Interrupts interrupts, bool tidy)
    {
        return WriteAsync().GetAwaiter().GetResult();

        async Task<int> WriteAsync()
        {
            // Incomplete characters wait in the decoder; control characters of an untrained model must not reach a terminal.
            var decoder = tokenizer.StartDecoding();
            using var output = new StreamWriter(Console.OpenStandardOutput(), new System.Text.UTF8Encoding(false)) { AutoFlush = true };
            try
            {
                await foreach (int token in model.GenerateAsync(prompt, tokens, sampling, interrupts.Token)) await output.WriteAsync(Next(decoder.Next(token)));
            }
            catch (OperationCanceledException)
            {
                // What is there stays; the line is ended below.
            }
            await output.WriteLineAsync(Next(decoder.Finish()));
            return interrupts.Requested ? interrupts.ExitCode : 0;
        }

        string Next(string text)
        {
            text = Visible(text);
            if (!tidy) return text;
            text = string.Concat(text.SkipWhile(c => c == '\uFFFD' || char.IsWhiteSpace(c)));
            tidy = text.Length == 0;
            return text;
        }
    }

    private static string Visible(string text) => text.Any(IsHarmful) ? string.Concat(text.Select(c => IsHarmful(c) ? '\uFFFD' : c)) : text;

    private static bool IsHarmful(char c) => char.IsControl(c) && c is not ('\n' or '\t');
}
