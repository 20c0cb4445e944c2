namespace Sfn.Train;

/// <summary>Learning rates as pure functions of the step (from 0).</summary>
public static class Schedule
{
    /// <summary>
    /// Linear warm-up, then half a cosine: (step + 1) / warmup · peak while step &lt; warmup, then from peak down to min at step = total (arXiv 2406.16450,
    /// section 4).
    /// </summary>
    /// <param name="step">Optimizer step, from 0; at and behind <paramref name="total"/> the rate is <paramref name="min"/>.</param>
    /// <param name="peak">Largest rate.</param>
    /// <param name="warmup">Steps of warm-up; 0 for none.</param>
    /// <param name="total">Steps of the run.</param>
    /// <param name="min">Rate at the end; null for a tenth of the peak, as in the paper.</param>
    public static float Cosine(long step, float peak, long warmup, long total, float? min = null)
    {
        if (Warmup(step, peak, warmup) is { } rate) return rate;
        double end = min ?? 0.1 * peak;
        return (float)(end + 0.5 * (peak - end) * (1 + Math.Cos(Math.PI * Progress(step, warmup, total))));
    }

    /// <summary>Linear warm-up, then a straight line from peak to min at step = total.</summary>
    /// <inheritdoc cref="Cosine"/>
    public static float Linear(long step, float peak, long warmup, long total, float? min = null)
    {
        if (Warmup(step, peak, warmup) is { } rate) return rate;
        double end = min ?? 0.1 * peak;
        return (float)(peak + (end - peak) * Progress(step, warmup, total));
    }

    /// <summary>Linear warm-up, then the peak for ever.</summary>
    /// <inheritdoc cref="Cosine"/>
    public static float Constant(long step, float peak, long warmup = 0) => Warmup(step, peak, warmup) ?? peak;

    private static float? Warmup(long step, float peak, long warmup)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfNegative(warmup);
        return step < warmup ? (float)((step + 1.0) / warmup * peak) : null;
    }

    private static double Progress(long step, long warmup, long total) => total <= warmup ? 1 : Math.Min(1, (double)(step - warmup) / (total - warmup));
}
