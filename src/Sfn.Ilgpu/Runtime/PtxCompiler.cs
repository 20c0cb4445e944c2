using global::ILGPU;
using global::ILGPU.Backends.EntryPoints;
using global::ILGPU.Backends.PTX;
using global::ILGPU.Runtime;
using global::ILGPU.Runtime.Cuda;
using Sfn.Backends.Ilgpu.Kernels;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>Compiles kernels to the PTX that a device would be given, without a driver or a device: for the assembler in the build.</summary>
internal sealed class PtxCompiler : IDisposable
{
    // The newest PTX version that the assembler of CUDA 12.4 reads.
    private static readonly CudaInstructionSet s_instructions = new(8, 4);
    private readonly CudaArchitecture _architecture;
    private Context _context;
    private PTXBackend _backend;

    public PtxCompiler(CudaArchitecture architecture)
    {
        _architecture = architecture;
        (_context, _backend) = Create();
    }

    /// <summary>The text of a kernel type.</summary>
    /// <exception cref="KernelError">ILGPU refuses it.</exception>
    public string Compile(Type kernel)
    {
        var (name, body, bounds) = Describe(kernel);
        try
        {
            var compiled = (PTXCompiledKernel)_backend.Compile(EntryPointDescription.FromExplicitlyGroupedKernel(body.Method), bounds);
            return KernelText.Ptx(compiled.PTXAssembly, KernelText.Identifier(name));
        }
        catch (Exception error)
        {
            Dispose();
            (_context, _backend) = Create();
            var cause = error;
            while (cause.InnerException is { } inner) cause = inner;
            throw new KernelError($"The kernel {name} could not be compiled to PTX for {_architecture}: {cause.Message.Trim()}", error);
        }
    }

    /// <summary>The name of a kernel type, as an identifier.</summary>
    public static string NameOf(Type kernel) => KernelText.Identifier(Describe(kernel).Name);

    public void Dispose()
    {
        _backend.Dispose();
        _context.Dispose();
    }

    private (Context, PTXBackend) Create()
    {
        var context = KernelCompiler.NewContext(OptimizationLevel.O2);
        var capabilities = new CudaCapabilityContext(_architecture);
        IlgpuAccess.SetTarget(capabilities, _architecture);
        return (context, new PTXBackend(context, capabilities, _architecture, s_instructions, null!));
    }

    private static (string Name, Delegate Body, KernelSpecialization Bounds) Describe(Type kernel)
    {
        var describe = typeof(PtxCompiler).GetMethod(nameof(Facts), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!;
        return ((string, Delegate, KernelSpecialization))describe.MakeGenericMethod(kernel).Invoke(null, null)!;
    }

    private static (string, Delegate, KernelSpecialization) Facts<TKernel>() where TKernel : struct, IKernel => (TKernel.Name, TKernel.Body, TKernel.Bounds);
}
