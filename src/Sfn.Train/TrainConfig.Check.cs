using Sfn.Nn;

namespace Sfn.Train;

public sealed partial record TrainConfig
{
    /// <summary>Checks every value and returns the same configuration.</summary>
    /// <exception cref="InputError">A value is out of range or does not divide; the message names the option and the nearest that work.</exception>
    public TrainConfig Validate()
    {
        if (Tokenizer is not ("bytes" or "chars")) throw new InputError($"--tokenizer must be bytes or chars, not {Tokenizer}");
        if (string.IsNullOrEmpty(Data)) throw new InputError("--data is empty; give a text file, a folder of *.txt files or sdk-docs");
        if (string.IsNullOrEmpty(Out)) throw new InputError("--out is empty; give the folder of all runs, for example runs");
        if (!(Dropout >= 0 && Dropout < 1)) throw new InputError($"--dropout must be at least 0 and below 1, not {Dropout}");
        if (Rank < 0) throw new InputError($"--rank must be at least 1, not {Rank}");
        if (Blocks < 0) throw new InputError($"--blocks must be at least 1, not {Blocks}");
        try { Model().Validate(); }
        catch (ConfigError error) { throw new InputError(error.Message, error); }
        AtLeast("--batch", Batch, 1);
        AtLeast("--accumulate", Accumulate, 1);
        AtLeast("--steps", Steps, 1);
        if (SequencesPerStep * Context > int.MaxValue)
        {
            throw new InputError($"a step of {Batch} x {Accumulate} sequences of {Context} tokens has more than {int.MaxValue} tokens; " +
                "lower --batch or --accumulate");
        }
        if (!(LearningRate > 0) || !float.IsFinite(LearningRate)) throw new InputError($"--lr must be above 0, not {LearningRate}");
        if (MinLearningRate is { } least && !(least >= 0 && least <= LearningRate))
            throw new InputError($"--min-lr must be 0 to --lr ({LearningRate}), not {least}");
        if (Warmup is { } warmup && (warmup < 0 || warmup > Steps)) throw new InputError($"--warmup must be 0 to --steps ({Steps}), not {warmup}");
        if (!(WeightDecay >= 0) || !float.IsFinite(WeightDecay)) throw new InputError($"--weight-decay must be at least 0, not {WeightDecay}");
        Rate("--beta1", Beta1);
        Rate("--beta2", Beta2);
        if (!(Clip >= 0) || !float.IsFinite(Clip)) throw new InputError($"--clip must be above 0, or 0 for no clipping, not {Clip}");
        AtLeast("--eval-every", EvalEvery ?? 0, 0);
        AtLeast("--eval-batches", EvalBatches, 0);
        AtLeast("checkpoint_every", CheckpointEvery ?? 0, 0);
        AtLeast("log_every", LogEvery, 1);
        if (Threads is < 0 or > 1024) throw new InputError($"--threads must be 1 to 1024, or 0 for all processors, not {Threads}");
        _ = DeviceOf();
        return this;
    }

    /// <summary>The device of that name.</summary>
    /// <exception cref="InputError">It is not there.</exception>
    internal Device DeviceOf()
    {
        try { return Sfn.Device.Get(Device); }
        catch (DeviceMismatch error)
        {
            // The reference loops define what ops mean; nobody trains on them.
            var names = Sfn.Device.All.Where(device => device != Sfn.Device.Reference).Select(device => device.Name);
            throw new InputError($"--device: there is no '{Device}' on this machine; there is {string.Join(", ", names)}", error);
        }
    }

    private static void AtLeast(string option, long value, long least)
    {
        if (value < least) throw new InputError($"{option} must be at least {least}, not {value}");
    }

    private static void Rate(string option, float value)
    {
        if (!(value >= 0 && value < 1)) throw new InputError($"{option} must be at least 0 and below 1, not {value}");
    }
}
