using System.Runtime.InteropServices;
using Sfn.Backends;

namespace Sfn.Bench.Suite;

/// <summary>Passes over arrays that no cache holds: bytes that the algorithm must move per second, as a share of a copy's.</summary>
internal static class PassFigures
{
    private const int Columns = 1024;

    public static void Run(SuiteRun run)
    {
        run.Report.Heading("passes over memory, out of cache");
        int rows = run.Size(65_536, 1, 64);
        foreach (var dtype in new[] { DType.F32, DType.BF16 })
        {
            Row(run, "gelu", dtype, rows, Columns, 2, (x, y) => () => Into(() => run.Backend.Map(new Ops.Gelu(), x.View, y.View)), Gelu);
            Row(run, "softmax", dtype, rows, Columns, 2, (x, _) => () => x.Softmax(), Softmax);
            var weight = Data.Normal([Columns], 3, DType.F32, run.Device).Keep();
            var bias = Data.Normal([Columns], 4, DType.F32, run.Device).Keep();
            double[] w = Data.Row(weight), b = Data.Row(bias);
            Row(run, "layernorm", dtype, rows, Columns, 2, (x, _) => () => x.LayerNorm(weight, bias), r => LayerNorm(r, w, b));
        }
        CrossEntropy(run, run.Size(2048, 1, 16, 16));
        AdamW(run, false);
        AdamW(run, true);
    }

    // The rows are normal numbers; a run gives its result, or writes y and gives nothing.
    private static void Row(SuiteRun run, string kind, DType dtype, int rows, int columns, int passes,
        Func<Tensor, Tensor, Func<Tensor?>> make, Func<double[], double[]> expected)
    {
        string name = $"{kind} {dtype.Name().ToLowerInvariant()}";
        run.Try(name, "GB/s", () =>
        {
            Tensor x = Data.Normal([rows, columns], 1, dtype, run.Device), y = x.EmptyLike();
            var pass = make(x, y);
            double error = 0;
            using (Scope.Open("verification"))
            {
                var result = pass() ?? y;
                foreach (int i in new[] { 0, rows / 3, rows - 1 }) error = Data.Larger(error, Deviation(Data.Row(result[i]), expected(Data.Row(x[i]))));
            }
            Add(run, name, passes * x.Bytes, error, dtype == DType.BF16 ? 5e-3 : 2e-6, () =>
            {
                using var scope = Scope.Open(kind);
                pass();
            });
        });
    }

    private static Tensor? Into(Action pass)
    {
        pass();
        return null;
    }

    private static void Add(SuiteRun run, string name, double bytes, double error, double allowed, Action pass)
    {
        run.Verify(name, error, allowed);
        run.Report.Add(new Figure(name, bytes / run.Median(pass) / 1e9, "GB/s", run.CopyRate / 1e9, "copy", error));
    }

    // Loss and gradient in place, in float32 as the engine keeps logits: they are read and written. Repeated on its own result it does the same work on other
    // numbers.
    private static void CrossEntropy(SuiteRun run, int rows)
    {
        const string Name = "cross-entropy f32";
        run.Try(Name, "GB/s", () =>
        {
            const int Classes = 50_304;
            if (run.Backend is not ICrossEntropy kernel)
            {
                run.Report.Add(new Figure(Name, null, "GB/s", Note: "this device has no kernel"));
                return;
            }
            var logits = Data.Normal([rows, Classes], 1, DType.F32, run.Device);
            var losses = Tensor.Zeros([rows], DType.F32, run.Device);
            var targets = Tensor.From([.. Enumerable.Range(0, rows).Select(i => i * 37 % Classes)], [rows], run.Device);
            double[] row = Data.Row(logits[rows - 1]);
            int target = (rows - 1) * 37 % Classes;
            void Pass() => kernel.CrossEntropy(logits.View, targets.View, -100, losses.View, true);
            Pass();
            double[] gradient = Softmax(row);
            double loss = -Math.Log(gradient[target]);
            gradient[target] -= 1;
            double error = Data.Larger(Math.Abs(Data.Row(losses)[rows - 1] - loss) / loss,
                Deviation(Data.Row(logits[rows - 1]), gradient));
            Add(run, Name, 2 * logits.Bytes, error, 1e-5, Pass);
        });
    }

    private static void AdamW(SuiteRun run, bool shadow)
    {
        string name = shadow ? "adamw with bf16 shadow" : "adamw";
        run.Try(name, "GB/s", () =>
        {
            if (run.Backend is not IOptimizerKernels kernel)
            {
                run.Report.Add(new Figure(name, null, "GB/s", Note: "this device has no kernel"));
                return;
            }
            int count = run.Size(32 << 20, 1, 1024);
            Tensor Make(ulong seed) => Data.Normal([count], seed, DType.F32, run.Device);
            Tensor p = Make(1), g = Make(2), m = Make(3), v = Tensor.Full([count], 0.5, DType.F32, run.Device);
            var shadows = shadow ? Tensor.Zeros([count], DType.BF16, run.Device) : null;
            var settings = Tensor.Zeros([AdamWSettings.Count], DType.F32, run.Device);
            run.Backend.Upload(MemoryMarshal.AsBytes([new AdamWSettings(1e-2, .9, .999, 1e-8, .1, step: 10)]), settings.View);
            var scale = Tensor.Ones([], device: run.Device);
            var views = new AdamWViews { P = p.View, G = g.View, M = m.View, V = v.View, Shadow = shadows?.View, Scale = scale.View };
            int at = count - 64;
            double[] Some(Tensor x) => Data.Row(x.Narrow(0, at, 64));
            double[] expected = [.. Some(p).Zip(Some(g)).Zip(Some(m)).Select(i => Updated(i.First.First, i.First.Second, i.Second, 0.5))];
            kernel.AdamW(views, settings.View);
            double error = Deviation(Some(p), expected);
            if (shadows is not null && Deviation(Some(shadows), expected) is not <= 5e-3) error = double.NaN;
            Add(run, name, count * (7 * 4.0 + (shadow ? 2 : 0)), error, 1e-6, () => kernel.AdamW(views, settings.View));
        });
    }

    // One parameter's step with the settings above.
    private static double Updated(double p, double g, double m, double v)
    {
        m = .9 * m + .1 * g;
        v = .999 * v + .001 * g * g;
        return p * (1 - 1e-2 * .1) - 1e-2 * (m / (1 - Math.Pow(.9, 10))) / (Math.Sqrt(v / (1 - Math.Pow(.999, 10))) + 1e-8);
    }

    private static double[] Gelu(double[] row) => [.. row.Select(Gelu)];

    /// <summary>GELU in its tanh form.</summary>
    public static double Gelu(double x) => x / (1 + Math.Exp(-1.5957691216057308 * (x + 0.044715 * x * x * x)));

    private static double[] Softmax(double[] row)
    {
        double most = row.Max(), sum = row.Sum(x => Math.Exp(x - most));
        return [.. row.Select(x => Math.Exp(x - most) / sum)];
    }

    private static double[] LayerNorm(double[] row, double[] weight, double[] bias)
    {
        double mean = row.Average(), scale = 1 / Math.Sqrt(row.Average(x => (x - mean) * (x - mean)) + 1e-5);
        return [.. row.Select((x, i) => (x - mean) * scale * weight[i] + bias[i])];
    }

    /// <summary>Largest difference, relative to the largest expected value.</summary>
    public static double Deviation(double[] got, double[] expected)
        => got.Zip(expected, (a, b) => Math.Abs(a - b)).Aggregate(0.0, Data.Larger) / expected.Max(Math.Abs);
}
