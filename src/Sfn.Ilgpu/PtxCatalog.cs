using global::ILGPU.Runtime.Cuda;
using Sfn.Backends.Ilgpu.Cuda;
using Sfn.Backends.Ilgpu.Runtime;

namespace Sfn.Backends.Ilgpu;

/// <summary>The PTX of every kernel the engine can launch, without a GPU.</summary>
internal static class PtxCatalog
{
    /// <summary>Writes NAME.ptx for each kernel; the assembler takes the text for any architecture from sm_80 on.</summary>
    /// <returns>How many.</returns>
    public static int Write(string folder)
    {
        int threads = Environment.ProcessorCount, written = 0;
        // One compiler per thread: a context compiles one kernel at a time.
        Parallel.For(0, threads, part =>
        {
            using var compiler = new PtxCompiler(CudaArchitecture.SM_80);
            for (int i = part; i < KernelCatalog.All.Count; i += threads)
            {
                var kernel = KernelCatalog.All[i];
                File.WriteAllText(Path.Combine(folder, PtxCompiler.NameOf(kernel) + ".ptx"), "// budget: 255\n" + compiler.Compile(kernel));
                Interlocked.Increment(ref written);
            }
        });
        foreach (var (name, text) in TextKernels.All)
        {
            File.WriteAllText(Path.Combine(folder, name + ".ptx"), text());
            written++;
        }
        return written;
    }
}
