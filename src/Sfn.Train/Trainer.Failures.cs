using Sfn.Nn;

namespace Sfn.Train;

/// <summary>How a run ends when it cannot go on: always with the last good checkpoint, which the message names.</summary>
public sealed partial class Trainer
{
    private bool _naming;

    private string Good
    {
        get
        {
            string last = Folder[Checkpoint.LastFile];
            return File.Exists(last) ? $"the last good checkpoint is {last} (step {Checkpoint.ReadState(last).Step})" : "there is no checkpoint yet";
        }
    }

    private InputError NotFinite(string what) => new($"after step {Step}: {what}; {Good}. Try a lower --lr, a longer --warmup or a lower --clip");

    private DeviceLost Lost(DeviceLost error) => new($"{Sentence(error.Message)} Training ended after step {Step}; {Good}. " +
        $"When the device works again, go on with: sfn train --resume {Folder.Name}", error);

    private OutOfDeviceMemory Full(OutOfDeviceMemory error)
        => new($"{Sentence(error.Message)} {Fitting(Config, Model.Config, Memory.PeakReserved(Model.Device))}; {Good}", error);

    /// <summary>Which batch would fit into the memory that there was, with as many tokens per step if possible.</summary>
    internal static string Fitting(TrainConfig config, TransformerConfig model, long have)
    {
        // The estimate is within 15 %.
        var counts = new ModelCounts(model);
        bool Fits(int batch) => counts.TrainingBytes(batch) <= 0.85 * have;
        int batch = config.Batch - 1;
        while (batch > 0 && !(config.Batch % batch == 0 && Fits(batch))) batch--;
        string estimate = $"This run needs about {Memory.Format(counts.TrainingBytes(config.Batch))}, and there were {Memory.Format(have)} for it";
        if (batch > 0)
        {
            return $"{estimate}: --batch {batch} --accumulate {config.Accumulate * (config.Batch / batch)} would fit, with as many tokens per step, " +
                $"and needs about {Memory.Format(counts.TrainingBytes(batch))}";
        }
        return $"{estimate}: not even --batch 1 would fit ({Memory.Format(counts.TrainingBytes(1))}), so use a smaller --context, --width or --layers";
    }

    // Until the first step is done reports name the owners of memory: by then the run has asked for all it needs.
    private void StartNaming()
    {
        if (Memory.Tracking) return;
        _naming = Memory.Tracking = true;
    }

    private void StopNaming()
    {
        if (_naming) _naming = Memory.Tracking = false;
    }

    private static string Sentence(string text) => text.EndsWith('.') ? text : text + ".";
}
