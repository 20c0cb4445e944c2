using Sfn.CudaEmulator.Decoding;
using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator;

/// <summary>A PTX text, parsed and decoded.</summary>
public sealed class PtxModule
{
    private PtxModule(Dictionary<string, PtxKernel> kernels) => Kernels = kernels;

    /// <summary>The kernels by name.</summary>
    public IReadOnlyDictionary<string, PtxKernel> Kernels { get; }

    /// <summary>Parses and decodes a text; an instruction that the interpreter does not know is refused here, not when it is met.</summary>
    /// <exception cref="PtxRejectedException">The text is no PTX, or beyond the interpreter.</exception>
    public static PtxModule Load(string text)
    {
        var module = Parser.Parse(text);
        return new(module.Functions.Values.Where(function => function.IsEntry && function.Body is not null)
            .ToDictionary(function => function.Name, function => KernelDecoder.Decode(module, function)));
    }
}
