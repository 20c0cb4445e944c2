using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sfn.Nn;

public sealed partial class Transformer
{
    /// <summary>
    /// Continues a text, token by token, with a cache of keys and values. When the context is full, its newer half is read again and
    /// generation goes on.
    /// </summary>
    /// <param name="prompt">Ids to start from; at least one.</param>
    /// <param name="tokens">How many ids to make.</param>
    /// <param name="sampling">How to draw; the most random by default.</param>
    /// <param name="cancellation">Ends the stream.</param>
    public async IAsyncEnumerable<int> GenerateAsync(
        IReadOnlyList<int> prompt, int tokens, Sampling? sampling = null, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        sampling = (sampling ?? new Sampling()).Validate();
        if (prompt.Count == 0) throw new ConfigError("generation needs a prompt of at least one token (--prompt)");
        var history = new List<int>(prompt);
        var cache = new KvCache(this);
        int fresh = history.Count;
        float[] logits = new float[Config.VocabularySize];
        for (int i = 0; i < tokens; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (cache.Length + fresh > Config.Context)
            {
                cache.Truncate(0);
                fresh = Math.Min(history.Count, Math.Max(1, Config.Context / 2));
            }
            int[] input = [.. CollectionsMarshal.AsSpan(history)[^fresh..]];
            int next = await Task.Run(() => Next(input, cache, logits, sampling, i), cancellation).ConfigureAwait(false);
            history.Add(next);
            fresh = 1;
            yield return next;
        }
    }

    private int Next(int[] input, KvCache cache, float[] logits, Sampling sampling, int position)
    {
        using var scope = Scope.Open("generation");
        NextLogits(Tensor.From(input, [1, input.Length], Device), cache).CopyTo<float>(logits);
        return sampling.Draw(logits, position);
    }
}
