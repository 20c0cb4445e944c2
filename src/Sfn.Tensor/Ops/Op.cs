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
        string? outer = t_current;
        t_current = op.Name;
        t_recorder = null;
        Extras extras = default;
        Tensor y;
        try
        {
            y = op.Forward(inputs, ref extras);
        }
        finally
        {
            t_recorder = recorder;
            t_current = outer;
        }
        if (recorder is null) return y;
        // A result has a place of its own on the tape, also where an op hands its input through.
        for (int i = 0; i < inputs.Count; i++) if (ReferenceEquals(inputs[i], y)) y = y.Detach();
        recorder.Record(op, inputs, y, extras);
        return y;
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
