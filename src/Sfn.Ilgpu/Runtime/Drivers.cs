using global::ILGPU;
using global::ILGPU.Algorithms;
using global::ILGPU.Runtime;
using global::ILGPU.Runtime.CPU;
using global::ILGPU.Runtime.Cuda;
using global::ILGPU.Runtime.OpenCL;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>The devices of this machine's drivers, asked once.</summary>
internal sealed class Drivers
{
    private static readonly Lazy<Drivers> s_instance = new(() => new Drivers());
    private readonly Context? _context;
    private readonly Lazy<Context> _debug = new(() => Context.Create(builder => builder.CPU(CPUDeviceKind.Nvidia).EnableAlgorithms()));

    private Drivers()
    {
        NativeLibraries.Install();
        bool cuda = NativeLibraries.Exists("cuda"), openCl = NativeLibraries.Exists("OpenCL");
        var found = new List<(FoundDevice, global::ILGPU.Runtime.Device)>();
        if (cuda || openCl)
        {
            _context = Context.Create(builder =>
            {
                builder.EnableAlgorithms().Optimize(OptimizationLevel.O2).Profiling();
                // A driver that is installed without hardware answers with an error; then there are no devices of its kind.
                if (cuda) Quietly(() => builder.Cuda());
                if (openCl) Quietly(() => builder.OpenCL(_ => true));
            });
            int cudas = 0, openCls = 0;
            foreach (var device in _context.Devices)
            {
                if (device is CudaDevice nvidia)
                {
                    var facts = FoundDevice.Of($"cuda:{cudas}", nvidia);
                    if (facts.Obstacle is null) cudas++;
                    found.Add((facts, device));
                }
                else if (device is CLDevice cl)
                {
                    var facts = FoundDevice.Of($"opencl:{openCls}", cl);
                    if (facts.Obstacle is null) openCls++;
                    else facts = facts with { Name = "opencl" };
                    found.Add((facts, device));
                }
            }
        }
        Found = found;
    }

    public static Drivers Instance => s_instance.Value;

    /// <summary>All devices that drivers list, used or not.</summary>
    public IReadOnlyList<(FoundDevice Facts, global::ILGPU.Runtime.Device Device)> Found { get; }

    /// <summary>An accelerator on a listed device.</summary>
    public Accelerator Create(global::ILGPU.Runtime.Device device) => device.CreateAccelerator(_context!);

    /// <summary>ILGPU's own accelerator on the CPU, where a debugger stops inside kernels.</summary>
    public Accelerator CreateDebug() => _debug.Value.GetCPUDevice(0).CreateAccelerator(_debug.Value);

    private static void Quietly(Action probe)
    {
        try { probe(); }
        catch (Exception error) when (DriverErrors.IsDriver(error) || error is DllNotFoundException or EntryPointNotFoundException or TypeInitializationException) { }
    }
}
