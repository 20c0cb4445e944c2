using Sfn.Backends;
using Sfn.Nn;

namespace Sfn.Cli.Display;

/// <summary>Configurations in a few words.</summary>
internal static class Words
{
    /// <summary>For example: 4 layers of width 192, context 256, feedforward 768 lowrank-r48 (first layer dense), SwiGLU.</summary>
    public static string Of(TransformerConfig config)
    {
        var parts = new List<string> { $"{config.Layers} layers of width {config.Width}" };
        if (config.QueryWidth != config.Width) parts.Add($"attention {config.QueryWidth}");
        parts.Add($"context {config.Context}");
        bool mixed = config.DenseFirstLayer && config.FeedForward.Kind != FfnKind.Dense;
        parts.Add($"feedforward {config.HiddenWidth} {config.FeedForward}{(mixed ? " (first layer dense)" : "")}");
        if (config.Activation == ActivationKind.SwiGlu) parts.Add("SwiGLU");
        if (config.Norm == NormKind.RmsNorm) parts.Add("RMSNorm");
        if (config.Positions == PositionKind.Learned) parts.Add("learned positions");
        if (!config.Bias) parts.Add("no biases");
        if (!config.Tied) parts.Add("untied head");
        if (config.Numerics.Compute == DType.BF16) parts.Add("bfloat16");
        else if (config.Numerics.MatMul == MatMulMode.Tf32) parts.Add("tf32");
        return string.Join(", ", parts);
    }
}
