using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Cli.Commands;

/// <summary>Prints the text of a model while it is produced.</summary>
internal static class TextStream
{
    /// <summary>Tokens to begin with when no prompt is given: a line break if the tokenizer knows it.</summary>
    public static int[] Start(ITokenizer tokenizer)
    {
        try { return tokenizer.Encode("\n"); }
        catch (InputError) { return [0]; }
    }

    /// <summary>Streams text to standard output and ends the line.</summary>
    /// <returns>The exit code: 0, or that of the signal that ended it.</returns>
    public static int Write(Transformer model, ITokenizer tokenizer, int[] prompt, int tokens, Sampling sampling, Interrupts interrupts)
    {
        return WriteAsync().GetAwaiter().GetResult();

        async Task<int> WriteAsync()
        {
            // Incomplete characters wait in the decoder; control characters of an untrained model must not reach a terminal.
            var decoder = tokenizer.StartDecoding();
            using var output = new StreamWriter(Console.OpenStandardOutput(), new System.Text.UTF8Encoding(false)) { AutoFlush = true };
            try
            {
                await foreach (int token in model.GenerateAsync(prompt, tokens, sampling, interrupts.Token))
                    await output.WriteAsync(Visible(decoder.Next(token)));
            }
            catch (OperationCanceledException)
            {
                // What is there stays; the line is ended below.
            }
            await output.WriteLineAsync(Visible(decoder.Finish()));
            return interrupts.Requested ? interrupts.ExitCode : 0;
        }
    }

    private static string Visible(string text) => text.Any(IsHarmful) ? string.Concat(text.Select(c => IsHarmful(c) ? '\uFFFD' : c)) : text;

    private static bool IsHarmful(char c) => char.IsControl(c) && c is not ('\n' or '\t');
}
