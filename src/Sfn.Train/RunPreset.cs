using Sfn.Nn;

namespace Sfn.Train;

/// <summary>The model and the training settings that a preset's name stands for.</summary>
/// <param name="Name">tiny, small, s, m, l or xl.</param>
/// <param name="Model">The model.</param>
/// <param name="Batch">Sequences per micro-batch.</param>
/// <param name="Accumulate">Micro-batches per optimizer step.</param>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="LearningRate">Peak learning rate.</param>
/// <param name="Beta2">AdamW's second decay rate.</param>
public sealed record RunPreset(string Name, TransformerConfig Model, int Batch, int Accumulate, long Steps, float LearningRate, float Beta2)
{
    /// <summary>Lowest learning rate: a tenth of the peak.</summary>
    public float MinLearningRate => LearningRate / 10;

    /// <summary>Warm-up: a tenth of the steps.</summary>
    public long Warmup => Math.Max(1, Steps / 10);

    /// <summary>A preset by its name.</summary>
    /// <remarks>s to xl are the paper's runs (arXiv 2406.16450, section 4: 512 sequences per step, about 20 tokens per parameter).</remarks>
    /// <exception cref="ConfigError">There is no such preset.</exception>
    public static RunPreset Of(string name)
    {
        var model = TransformerConfig.Preset(name);
        return name switch
        {
            "tiny" => new(name, model, Batch: 8, Accumulate: 1, Steps: 1_200, LearningRate: 3e-3f, Beta2: 0.98f),
            "small" => new(name, model, Batch: 32, Accumulate: 1, Steps: 2_000, LearningRate: 1.5e-3f, Beta2: 0.98f),
            "s" => new(name, model, Batch: 8, Accumulate: 64, Steps: 4_196, LearningRate: 6e-4f, Beta2: 0.999f),
            "m" => new(name, model, Batch: 8, Accumulate: 64, Steps: 12_779, LearningRate: 3e-4f, Beta2: 0.999f),
            "l" => new(name, model, Batch: 8, Accumulate: 64, Steps: 27_809, LearningRate: 2.5e-4f, Beta2: 0.999f),
            _ => new(name, model, Batch: 8, Accumulate: 64, Steps: 48_637, LearningRate: 2e-4f, Beta2: 0.999f),
        };
    }
}
