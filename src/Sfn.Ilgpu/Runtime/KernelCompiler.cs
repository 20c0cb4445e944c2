using System.Reflection;
using global::ILGPU;
using global::ILGPU.Algorithms;
using global::ILGPU.Backends.EntryPoints;
using global::ILGPU.Backends.OpenCL;
using global::ILGPU.Backends.PTX;
using global::ILGPU.Runtime;
using global::ILGPU.Runtime.Cuda;
using global::ILGPU.Runtime.OpenCL;
using Sfn.Backends.Ilgpu.Kernels;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>
/// Compiles kernels for one accelerator: ILGPU at O2, the text passes, the driver. It compiles in a context of its own, because a failed compile
/// leaves ILGPU's context unusable: that context is thrown away and the device goes on.
/// </summary>
internal sealed class KernelCompiler : IDisposable
{
    private readonly Accelerator _accelerator;
    private readonly OptimizationLevel _level;
    private readonly Lock _lock = new();
    private Context? _context;
    private global::ILGPU.Backends.Backend? _backend;

    public KernelCompiler(Accelerator accelerator, OptimizationLevel level = OptimizationLevel.O2) => (_accelerator, _level) = (accelerator, level);

    /// <summary>Called with the name of every kernel that is compiled.</summary>
    public Action<string>? Compiled { get; set; }

    /// <summary>A kernel, ready to launch.</summary>
    /// <exception cref="KernelError">ILGPU or the driver refuses it; the message names it.</exception>
    public TLauncher Load<TKernel, TLauncher>() where TKernel : struct, IKernel where TLauncher : Delegate
    {
        string name = KernelText.Identifier(TKernel.Name);
        var method = TKernel.Body.Method;
        lock (_lock)
        {
            try
            {
                var kernel = _accelerator switch
                {
                    CudaAccelerator cuda => LoadCuda(cuda, method, TKernel.Bounds, name),
                    CLAccelerator cl => LoadOpenCl(cl, method, TKernel.Bounds),
                    _ => _accelerator.LoadKernel(method, TKernel.Bounds),
                };
                Compiled?.Invoke(name);
                return kernel.CreateLauncherDelegate<TLauncher>();
            }
            catch (Exception error) when (error is not KernelError)
            {
                Reset();
                var cause = error;
                while (cause.InnerException is { } inner) cause = inner;
                throw new KernelError(
                    $"The kernel {name} could not be compiled for {_accelerator.Name}: {cause.GetType().Name}: {cause.Message.Trim()}. " +
                    "The device stays usable; --device cpu runs everything without it.", error);
            }
        }
    }

    /// <summary>The PTX of a kernel for an architecture, without a driver or a device.</summary>
    public static string Ptx(Type kernel, CudaArchitecture architecture)
    {
        using var compiler = new PtxCompiler(architecture);
        return compiler.Compile(kernel);
    }

    public void Dispose() => Reset();

    private CudaKernel LoadCuda(CudaAccelerator cuda, MethodInfo method, KernelSpecialization bounds, string name)
    {
        if (_backend is null)
        {
            _context = NewContext(_level);
            var capabilities = new CudaCapabilityContext(cuda.Architecture);
            IlgpuAccess.SetTarget(capabilities, cuda.Architecture);
            _backend = new PTXBackend(_context, capabilities, cuda.Architecture, cuda.InstructionSet, null!);
        }
        var compiled = (PTXCompiledKernel)_backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(method), bounds);
        IlgpuAccess.Text(compiled) = KernelText.Ptx(compiled.PTXAssembly, name);
        cuda.Bind();
        var kernel = (CudaKernel)cuda.LoadKernel(compiled);
        var status = CudaAPI.CurrentAPI.GetModuleFunction(out nint function, kernel.ModulePtr, name);
        if (status != CudaError.CUDA_SUCCESS) throw new KernelError($"The module of kernel {name} has no entry of that name: {status}.");
        IlgpuAccess.Function(kernel) = function;
        return kernel;
    }

    private CLKernel LoadOpenCl(CLAccelerator cl, MethodInfo method, KernelSpecialization bounds)
    {
        if (_backend is null)
        {
            _context = NewContext(_level);
            // A device of OpenCL 3 calls itself C 1.2, in which there are no group barriers of the kind that ILGPU writes.
            var least = cl.Device is CLDevice device && device.DeviceVersion >= CLDeviceVersion.CL30 ? CLCVersion.CL30 : CLCVersion.CL20;
            var version = cl.CVersion >= least ? cl.CVersion : least;
            _backend = new CLBackend(_context, cl.Capabilities, cl.Vendor, version);
        }
        var compiled = (CLCompiledKernel)_backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(method), bounds);
        IlgpuAccess.Text(compiled) = KernelText.OpenCl(compiled.Source);
        return (CLKernel)cl.LoadKernel(compiled);
    }

    private void Reset()
    {
        _backend?.Dispose();
        _context?.Dispose();
        _backend = null;
        _context = null;
    }

    internal static Context NewContext(OptimizationLevel level) => Context.Create(builder => builder.EnableAlgorithms().Optimize(level));
}
