using Sfn.Backends;
using Sfn.Ops;

namespace Sfn.Tests.Ops;

/// <summary>What backends promise beyond what ops ask of them: every combination of matmul options, and adding in place through strides.</summary>
public class BackendTests : LeakCheck
{
    public static TheoryData<bool, bool, bool, Activation> Specs
    {
        get
        {
            var data = new TheoryData<bool, bool, bool, Activation>();
            foreach (bool accumulate in new[] { false, true })
                foreach (bool bias in new[] { false, true })
                    foreach (bool residual in new[] { false, true })
                        foreach (var activation in Enum.GetValues<Activation>()) data.Add(accumulate, bias, residual, activation);
            return data;
        }
    }

    [Theory, MemberData(nameof(Specs))]
    public void Matmul_options_combine_alike(bool accumulate, bool bias, bool residual, Activation activation)
    {
        using var scope = Scope.Open();
        foreach (var (m, n, k) in new[] { (7, 5, 3), (40, 33, 29) })
        {
            double[] On(Device device, DType type)
            {
                Tensor Draw(Shape shape, ulong seed) => Tensor.Randn(shape, seed).To(device).To(type);
                var c = Draw([m, n], 1).Contiguous();
                var spec = new MatMulSpec
                {
                    Accumulate = accumulate, Activation = activation, Bias = bias ? Draw([n], 2).View : null, Residual = residual ? Draw([m, n], 3).View : null,
                };
                c.Backend.MatMul(Draw([m, k], 4).View, Draw([k, n], 5).View, c.View, spec);
                return OpRun.Wide(c);
            }
            double[] expected = On(Device.Reference, DType.F64);
            foreach (var device in OpRun.Devices) OpRun.Near(On(device, DType.F32), expected, 5e-6, $"{device} [{m}, {k}]·[{k}, {n}]");
        }
    }

    [Fact]
    public void Copy_fill_and_add_write_through_strides()
    {
        using var scope = Scope.Open();
        foreach (var device in OpRun.Devices)
        {
            foreach (int n in new[] { 1, 3, 17, 70 })
            {
                double[] On(Device where, DType type)
                {
                    var target = Tensor.Randn([4, n + 2, 3], 1).To(where).To(type).Contiguous();
                    var window = target.View.Narrow(1, 1, n).Permute([1, 2, 0]);
                    var source = Tensor.Randn([n, 3, 4], 2).To(where).To(type);
                    target.Backend.AddTo(source.View, window);
                    target.Backend.AddTo(source[0, 0, 0].View.Expand(window.Shape), window);
                    target.Backend.Copy(source.View.Narrow(1, 0, 1), window.Narrow(1, 2, 1));
                    target.Backend.Fill(window.Narrow(2, 1, 2).Narrow(1, 0, 1), 7);
                    target.Backend.MapGrad(new Square(), source.View, source.View, source.View, window, accumulate: true);
                    return OpRun.Wide(target);
                }
                OpRun.Near(On(device, DType.F32), On(Device.Reference, DType.F64), 1e-6, $"{device}, {n}");
            }
        }
    }
}
