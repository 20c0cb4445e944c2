using System.Runtime.InteropServices;
using Sfn.Backends;

namespace Sfn.Tests.Ops;

/// <summary>Optional capabilities that ops and optimizers use without a fallback of the same bits: called as the contract says, on any device.</summary>
public class CapabilityTests : LeakCheck
{
    [Fact]
    public void AdamW_is_the_formula()
    {
        foreach (var device in OpRun.Devices)
        {
            if (device.Backend is not IOptimizerKernels kernels) continue;
            foreach (int n in new[] { 1, 3, 4, 1000, 1003 })
            {
                using var scope = Scope.Open();
                double[] p = Draw(n, 1), g = Draw(n, 2), m = Draw(n, 3), v = [.. Draw(n, 4).Select(Math.Abs)];
                Tensor tp = Put(p, device), tg = Put(g, device), tm = Put(m, device), tv = Put(v, device), shadow = Tensor.Empty([n], DType.BF16, device);
                var settings = new AdamWSettings(0.01, 0.9, 0.95, 1e-8, 0.1, 3);
                var memory = Tensor.From(MemoryMarshal.Cast<AdamWSettings, float>(new ReadOnlySpan<AdamWSettings>(in settings)).ToArray(), [AdamWSettings.Count], device);
                var scale = Tensor.From([0.5f], [1], device);
                kernels.AdamW(new AdamWViews { P = tp.View, G = tg.View, M = tm.View, V = tv.View, Shadow = shadow.View, Scale = scale.View }, memory.View);
                for (int i = 0; i < n; i++)
                {
                    double gradient = 0.5 * g[i];
                    m[i] = 0.9 * m[i] + 0.1 * gradient;
                    v[i] = 0.95 * v[i] + 0.05 * gradient * gradient;
                    double direction = m[i] / (1 - Math.Pow(0.9, 3)) / (Math.Sqrt(v[i] / (1 - Math.Pow(0.95, 3))) + 1e-8);
                    p[i] = p[i] * (1 - 0.01 * 0.1) - 0.01 * direction;
                }
                OpRun.Near(OpRun.Wide(tp), p, 1e-6, $"parameters of {n} on {device}");
                OpRun.Near(OpRun.Wide(tm), m, 1e-6, "first moments");
                OpRun.Near(OpRun.Wide(tv), v, 1e-6, "second moments");
                Assert.Equal(tp.ToArray().Select(x => (BFloat16)x), shadow.ToArray<BFloat16>());
            }
        }
    }

    [Fact]
    public void Sgd_is_the_formula()
    {
        foreach (var device in OpRun.Devices)
        {
            if (device.Backend is not IOptimizerKernels kernels) continue;
            foreach (int n in new[] { 1, 4, 1003 })
            {
                using var scope = Scope.Open();
                double[] p = Draw(n, 1), g = Draw(n, 2), m = Draw(n, 3);
                Tensor tp = Put(p, device), tg = Put(g, device), tm = Put(m, device);
                var settings = new SgdSettings(0.1, 0.9, 0.01);
                var memory = Tensor.From(MemoryMarshal.Cast<SgdSettings, float>(new ReadOnlySpan<SgdSettings>(in settings)).ToArray(), [SgdSettings.Count], device);
                var scale = Tensor.From([2f], [1], device);
                kernels.Sgd(new SgdViews { P = tp.View, G = tg.View, M = tm.View, Scale = scale.View }, memory.View);
                for (int i = 0; i < n; i++)
                {
                    m[i] = 0.9 * m[i] + 2 * g[i] + 0.01 * p[i];
                    p[i] -= 0.1 * m[i];
                }
                OpRun.Near(OpRun.Wide(tp), p, 1e-6, $"parameters of {n} on {device}");
                OpRun.Near(OpRun.Wide(tm), m, 1e-6, "momenta");
            }
        }
    }

    [Fact]
    public void Dropout_keeps_the_elements_that_philox_says()
    {
        const ulong Step = 0x1234567890ABCDEF;
        foreach (var device in OpRun.Devices)
        {
            if (device.Backend is not IDropout kernel) continue;
            foreach (var type in new[] { DType.F32, DType.BF16 })
            {
                foreach (int n in new[] { 1, 5, 64, 4099 })
                {
                    using var scope = Scope.Open();
                    var x = Tensor.Ones([n], type, device);
                    var memory = Tensor.From([unchecked((int)(uint)Step), (int)(Step >> 32)], [2], device);
                    foreach (int streams in new[] { -1, 0, 1, 2 })
                    {
                        var spec = new DropoutSpec
                        {
                            Threshold = 1u << 30, Kept = 1.5f, Seed = Step, Memory = streams < 0 ? null : memory.View, Streams = Math.Max(0, streams),
                            Stream0 = Philox.Hash("blocks.0"), Stream1 = Philox.Hash("ffn"),
                        };
                        ulong seed = Step;
                        if (streams > 0) seed = Philox.Seed(seed, "blocks.0");
                        if (streams > 1) seed = Philox.Seed(seed, "ffn");
                        var y = Tensor.Ones([n], type, device);
                        kernel.Dropout(x.View, y.View, spec, accumulate: false);
                        float[] expected = [.. Enumerable.Range(0, n).Select(i => Philox.At(seed, (ulong)i) >= 1u << 30 ? 1.5f : 0)];
                        Assert.Equal(expected, y.To(DType.F32).ToArray());
                        kernel.Dropout(x.View, y.View, spec, accumulate: true);
                        Assert.Equal(expected.Select(f => 2 * f), y.To(DType.F32).ToArray());
                    }
                }
            }
        }
    }

    [Fact]
    public void A_wrong_id_is_reported_where_the_host_waits_and_the_device_goes_on()
    {
        foreach (var device in OpRun.Devices)
        {
            using var scope = Scope.Open();
            var table = Tensor.Ones([10, 4], DType.F32, device);
            foreach (int bad in new[] { 10, -1, int.MaxValue, int.MinValue })
            {
                int[] ids = [.. Enumerable.Range(0, 1000).Select(i => i == 777 ? bad : i % 10)];
                var error = Assert.Throws<ShapeMismatch>(() =>
                {
                    table.Gather(Tensor.From(ids, [1000], device));
                    device.Backend.Synchronize();
                });
                Assert.Contains($"{bad} is outside 0..9", error.Message);
                device.Backend.Synchronize();
                Assert.Equal(4, table.Gather(Tensor.From([3], [1], device)).Sum().Item());
            }
            var targets = Tensor.From([3, -100, 2], [3], device);
            table.Narrow(0, 0, 3).CrossEntropy(targets);
            device.Backend.Synchronize();
            Assert.Throws<ShapeMismatch>(() => { table.Narrow(0, 0, 3).CrossEntropy(Tensor.From([3, -100, 4], [3], device)).Item(); });
        }
    }

    private static double[] Draw(int n, ulong seed) => [.. Enumerable.Range(0, n).Select(i => (double)(2 * Philox.Unit(Philox.At(seed, (ulong)i)) - 1))];

    private static Tensor Put(double[] x, Device device) => Tensor.From(x.Select(v => (float)v).ToArray(), [x.Length], device);
}
