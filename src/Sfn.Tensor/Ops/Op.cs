namespace Sfn.Ops;

/// <summary>The one door through which every op runs.</summary>
public static class Op
{
    [ThreadStatic] private static IRecorder? t_recorder;
    [ThreadStatic] private static string? t_current;

    /// <summary>The recorder of this thread, if a tape is open.</summary>
    public static IRecorder? Recorder
    {
        get => t_recorder;
        set => t_recorder = value;
    }

    /// <summary>Name of the op whose forward or gradient runs on this thread.</summary>
    public static string Current
    {
        get => t_current ?? "";
        set => t_current = value;
    }

    /// <summary>Runs an op and lets the tape record it.</summary>
    public static Tensor Run<TOp>(TOp op, Tensor a, Tensor? b = null, Tensor? c = null, Tensor? d = null) where TOp : struct, IOp
        => Run(op, new Inputs(a, b, c, d));

    /// <summary>Runs an op and lets the tape record it.</summary>
    public static Tensor Run<TOp>(TOp op, in Inputs inputs) where TOp : struct, IOp
    {
        var recorder = t_recorder;
        if (recorder is null) RefuseForeign(op.Name, inputs);
        string? outer = t_current;
        t_current = op.Name;
        t_recorder = null;
        // Owns the temporaries of the forward: they are freed at once, and no collection can take them while a kernel reads them.
        using var scope = Scope.Open(op.Name);
        try
        {
            Extras extras = default;
            var y = op.Forward(inputs, ref extras);
            inputs.KeepAlive();
            if (recorder is null) return scope.Return(y);
            // A result has a place of its own on the tape, also where an op hands its input through.
            for (int i = 0; i < inputs.Count; i++) if (ReferenceEquals(inputs[i], y)) y = y.Detach();
            recorder.Record(op, inputs, y, extras);
            return scope.Return(y);
        }
        finally
        {
            t_recorder = recorder;
            t_current = outer;
        }
    }

    // The tape of another thread cannot record here, and a gradient must not vanish silently.
    private static void RefuseForeign(string op, in Inputs inputs)
    {
        for (int i = 0; i < inputs.Count; i++)
        {
            if (inputs[i]?.Recorder is { IsElsewhere: true })
                throw new NoGradient($"{op} on a tensor that a tape of another thread tracks. Use it on the tape's thread, or Detach() it there first.");
        }
    }

    /// <summary>Switches recording off until the result is disposed.</summary>
    public static Pausing Pause()
    {
        var pausing = new Pausing(t_recorder);
        t_recorder = null;
        return pausing;
    }

    /// <summary>Ends a pause of recording.</summary>
    public readonly struct Pausing(IRecorder? recorder) : IDisposable
    {
        /// <summary>Switches recording on again.</summary>
        public void Dispose() => t_recorder = recorder;
    }
}
