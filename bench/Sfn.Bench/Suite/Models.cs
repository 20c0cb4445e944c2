using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Bench.Suite;

/// <summary>The model of the suite's runs: 12 layers of width 768, context 1024, with a dense feedforward; smaller if the suite is.</summary>
internal static class Models
{
    /// <summary>Its configuration at the scale of the run.</summary>
    public static TransformerConfig Config(SuiteRun run, Precision precision) => new()
    {
        VocabularySize = run.Size(50_304, 1, 64, 128), Context = run.Size(1024, 0.5, 32, 32), Layers = run.Size(12, 0.25), Width = run.Size(768, 0.5, 64),
        Heads = run.Size(12, 0.5), FeedForward = Ffn.Dense(), DenseFirstLayer = false, Numerics = precision.Numerics(),
    };

    /// <summary>Ids of any text.</summary>
    public static int[] Ids(TransformerConfig config, int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(config.VocabularySize))];
    }

    /// <summary>The logits after a text, by the same model in float32 on the CPU, or in float64 if the CPU is what is measured.</summary>
    public static double[] ExpectedLogits(SuiteRun run, TransformerConfig config, int[] text)
    {
        using var scope = Scope.Open("verification");
        var host = run.Device == Device.Cpu ? Device.Reference : Device.Cpu;
        var model = new Transformer(config with { Numerics = default }, host, seed: 1);
        return Data.Row(model.NextLogits(Tensor.From(text, [1, text.Length], host)));
    }

    /// <summary>The losses of the first and the last of some training steps on one sequence, by the same model on the host, as above.</summary>
    public static (double First, double Last) ExpectedLosses(SuiteRun run, TransformerConfig config, int[] text, int steps, float rate)
    {
        using var scope = Scope.Open("verification");
        var host = run.Device == Device.Cpu ? Device.Reference : Device.Cpu;
        var model = new Transformer(config with { Numerics = default }, host, seed: 1);
        using var step = new GraphedStep(model, new AdamW(model.Parameters), 1, text.Length - 1, clip: 1);
        double first = 0;
        for (int i = 0; i < steps; i++)
        {
            step.Run(text[..^1], text[1..], rate);
            if (i == 0) first = step.Loss.Item();
        }
        return (first, step.Loss.Item());
    }
}
