using System.Text;
using System.Text.Json;

namespace Sfn.Cli.Commands;

/// <summary><c>sfn info --json</c>: names as in summary.json, plain numbers.</summary>
internal static class CostJson
{
    public static string Write(string preset, RunCost cost)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            var (config, counts) = (cost.Config, cost.Counts);
            json.WriteStartObject();
            json.WriteString("preset", preset);
            json.WriteStartObject("model");
            json.WriteNumber("vocabulary", config.VocabularySize);
            json.WriteNumber("context", config.Context);
            json.WriteNumber("layers", config.Layers);
            json.WriteNumber("width", config.Width);
            json.WriteNumber("attention_width", config.QueryWidth);
            json.WriteNumber("heads", config.Heads);
            json.WriteNumber("kv_heads", config.KeyValueHeads);
            json.WriteNumber("ffn_width", config.HiddenWidth);
            json.WriteString("ffn", config.FeedForward.ToString());
            json.WriteBoolean("dense_first_layer", config.DenseFirstLayer);
            json.WriteEndObject();
            json.WriteNumber("parameters", counts.Parameters);
            json.WriteNumber("parameters_embedding", counts.Embedding + counts.Positions);
            json.WriteNumber("parameters_head", counts.Head);
            json.WriteNumber("parameters_attention", counts.Attention);
            json.WriteNumber("parameters_feedforward", counts.FeedForward);
            json.WriteNumber("parameters_feedforward_dense", counts.DenseFeedForward);
            json.WriteNumber("parameters_norms_and_biases", counts.Norms + counts.Biases);
            json.WriteString("precision", cost.Precision);
            json.WriteNumber("batch", cost.Batch);
            json.WriteNumber("accumulate", cost.Accumulate);
            json.WriteNumber("tokens_per_step", cost.TokensPerStep);
            json.WriteNumber("steps", cost.Steps);
            json.WriteNumber("tokens", cost.Tokens);
            json.WriteNumber("flops_per_step", cost.FlopsPerStep);
            json.WriteNumber("flops_per_run", cost.FlopsPerRun);
            json.WriteNumber("memory_bytes", cost.Bytes);
            json.WriteNumber("memory_bytes_state", cost.StateBytes);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
