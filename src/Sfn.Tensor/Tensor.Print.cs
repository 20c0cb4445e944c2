using System.Globalization;
using System.Text;

namespace Sfn;

public sealed partial class Tensor
{
    private const int EdgeItems = 3, PrintWhole = 1000;

    /// <summary>
    /// The values in nested brackets, four decimals for floats (scientific where that would lose them), middles of long dimensions
    /// replaced by dots; other than float32 also the type.
    /// </summary>
    public override string ToString()
    {
        if (!IsAlive) return $"freed tensor {Shape}";
        using var pause = Ops.Op.Pause();
        using var scope = Scope.Open("Tensor.ToString");
        double[] values = To(DType.F64).ToArray<double>();
        var text = new StringBuilder();
        string format = DType.IsFloat() ? FormatFor(values) : "0";
        int at = 0;
        Write(text, values, ref at, 0, format, Count > PrintWhole);
        if (DType != DType.F32) text.Append(' ').Append(DType.Name());
        return text.ToString();
    }

    private void Write(StringBuilder text, double[] values, ref int at, int dim, string format, bool shorten)
    {
        if (dim == Rank)
        {
            double value = values[at++];
            text.Append(DType == DType.Bool ? (value != 0 ? "true" : "false") : value.ToString(format, CultureInfo.InvariantCulture));
            return;
        }
        int size = Shape[dim], inner = 1;
        for (int i = dim + 1; i < Rank; i++) inner *= Shape[i];
        text.Append('[');
        for (int i = 0; i < size; i++)
        {
            if (i > 0) text.Append(dim == Rank - 1 ? ", " : ",\n" + new string(' ', dim + 1));
            if (shorten && size > 2 * EdgeItems && i == EdgeItems)
            {
                text.Append(dim == Rank - 1 ? "…, " : "…,\n" + new string(' ', dim + 1));
                at += (size - 2 * EdgeItems) * inner;
                i = size - EdgeItems;
            }
            Write(text, values, ref at, dim + 1, format, shorten);
        }
        text.Append(']');
    }

    // Whole numbers print without decimals; very large or small ones in scientific notation.
    private static string FormatFor(double[] values)
    {
        double most = 0, least = double.PositiveInfinity;
        bool whole = true;
        foreach (double value in values)
        {
            double size = Math.Abs(value);
            if (!double.IsFinite(size)) continue;
            if (size > 0) least = Math.Min(least, size);
            most = Math.Max(most, size);
            whole &= value == Math.Floor(value);
        }
        if (most >= 1e6 || (most > 0 && most < 1e-3)) return "0.0000e0";
        return whole ? "0" : "0.0000";
    }
}
