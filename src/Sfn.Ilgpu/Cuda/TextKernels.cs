namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>Every kernel that is written as PTX text rather than compiled from C#.</summary>
internal static class TextKernels
{
    /// <summary>File names without extension and texts. NAME.sm_90 is for compute capability 9.0 and later, all others for 8.0 and later.</summary>
    public static IEnumerable<(string Name, Func<string> Text)> All
    {
        get
        {
            foreach (var kernel in GemmKernel.All)
            {
                yield return (kernel.Name, kernel.Text(hopper: false));
                if (kernel.Kind == GemmKind.Tf32) yield return (kernel.Name + ".sm_90", kernel.Text(hopper: true));
            }
            yield return (GemmReduce.Name, GemmReduce.Text);
            foreach (var kernel in FlashKernel.All) yield return (kernel.Name, kernel.Build);
        }
    }
}
