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
        // Names are for readers; two combinations of types may share one.
        var names = new string[KernelCatalog.All.Count];
        var seen = new Dictionary<string, int>();
        for (int i = 0; i < names.Length; i++)
        {
            string name = PtxCompiler.NameOf(KernelCatalog.All[i]);
            seen[name] = seen.GetValueOrDefault(name) + 1;
            names[i] = seen[name] == 1 ? name : $"{name}_{seen[name]}";
        }
        // One compiler per thread: a context compiles one kernel at a time.
        Parallel.For(0, threads, part =>
        {
            using var compiler = new PtxCompiler(CudaArchitecture.SM_80);
            for (int i = part; i < KernelCatalog.All.Count; i += threads)
            {
                var kernel = KernelCatalog.All[i];
                File.WriteAllText(Path.Combine(folder, names[i] + ".ptx"), "// budget: 255\n" + compiler.Compile(kernel));
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
