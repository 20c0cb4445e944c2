using Sfn.Nn;

namespace Sfn.Train;

/// <summary>Measures a model on validation text.</summary>
public static class Evaluation
{
    /// <summary>Mean loss over all windows, nats per token, without dropout and without recording.</summary>
    /// <param name="model">The model.</param>
    /// <param name="windows">Which windows.</param>
    /// <param name="batch">Windows per forward pass.</param>
    /// <param name="cancellation">Ends it early by an exception.</param>
    public static double Loss(Transformer model, EvaluationWindows windows, int batch, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(windows);
        using var pause = Ops.Op.Pause();
        var device = model.Device;
        int[] tokens = new int[batch * windows.Context], targets = new int[batch * windows.Context];
        double sum = 0;
        for (long first = 0; first < windows.Count; first += batch)
        {
            cancellation.ThrowIfCancellationRequested();
            int rows = (int)Math.Min(batch, windows.Count - first);
            Span<int> x = tokens.AsSpan(0, rows * windows.Context), y = targets.AsSpan(0, rows * windows.Context);
            windows.Fill(first, x, y);
            using var scope = Scope.Open("evaluation");
            sum += rows * model.Loss(Tensor.From<int>(x, [rows, windows.Context], device), Tensor.From<int>(y, [rows, windows.Context], device)).Item();
        }
        return sum / windows.Count;
    }
}
