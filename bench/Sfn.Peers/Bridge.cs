using Torch = TorchSharp.torch;

namespace Sfn.Peers;

/// <summary>Carries values between the engines and compares them.</summary>
internal static class Bridge
{
    /// <summary>A copy in torch.</summary>
    public static Torch.Tensor ToTorch(this Tensor x) => Torch.tensor(x.ToArray(), [.. Enumerable.Range(0, x.Rank).Select(i => (long)x.Shape[i])]);

    /// <summary>A copy in torch that gradients are computed for.</summary>
    public static TorchSharp.Modules.Parameter ToTorchParameter(this Tensor x) => new(x.ToTorch());

    /// <summary>The largest difference, as a share of the largest value.</summary>
    public static double Difference(Torch.Tensor expected, Tensor actual)
    {
        float[] a = expected.detach().contiguous().data<float>().ToArray(), b = actual.ToArray();
        if (a.Length != b.Length) return double.PositiveInfinity;
        double largest = 0, difference = 0;
        for (int i = 0; i < a.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(a[i]));
            difference = Math.Max(difference, Math.Abs((double)a[i] - b[i]));
        }
        return difference / largest;
    }
}
