using System.Runtime.InteropServices;
using Sfn.Ops;

namespace Sfn.IO;

/// <summary>Tensors in files: NumPy's .npy for one, safetensors for several with names.</summary>
public static class TensorFile
{
    /// <summary>Writes one tensor as .npy; bfloat16 is widened to float32, which .npy knows.</summary>
    /// <param name="path">Replaced as a whole or not at all.</param>
    /// <param name="tensor">Any shape and element type.</param>
    public static void SaveNpy(string path, Tensor tensor)
    {
        using var pause = Op.Pause();
        using var scope = Scope.Open("TensorFile.SaveNpy");
        var known = tensor.DType == DType.BF16 ? tensor.To(DType.F32) : tensor;
        Npy.Write(path, known.DType switch
        {
            DType.F32 => "<f4",
            DType.F64 => "<f8",
            DType.I32 => "<i4",
            DType.U16 => "<u2",
            DType.U8 => "|u1",
            _ => "|b1",
        }, Long(known.Shape), Bytes(known).ToArray());
    }

    /// <summary>Reads a .npy file.</summary>
    /// <exception cref="FormatError">It is no .npy file of a supported type.</exception>
    public static Tensor LoadNpy(string path, Device? device = null)
    {
        var array = Npy.Read(path);
        return Make(array.Bytes, array.DType switch
        {
            "<f4" => DType.F32,
            "<f8" => DType.F64,
            "<i4" => DType.I32,
            "<u2" => DType.U16,
            "|u1" => DType.U8,
            _ => DType.Bool,
        }, array.Shape, path, device);
    }

    /// <summary>Writes named tensors as safetensors, in the order of their names.</summary>
    /// <param name="path">Replaced as a whole or not at all.</param>
    /// <param name="tensors">Names and tensors.</param>
    /// <param name="metadata">Strings to store along.</param>
    public static void SaveSafetensors(string path, IEnumerable<KeyValuePair<string, Tensor>> tensors,
        IEnumerable<KeyValuePair<string, string>>? metadata = null)
    {
        using var pause = Op.Pause();
        var writer = new SafetensorsWriter();
        foreach (var (key, value) in metadata ?? []) writer.SetMetadata(key, value);
        foreach (var (name, tensor) in tensors)
        {
            writer.Add(name, tensor.DType.Name(), Long(tensor.Shape), stream =>
            {
                using var scope = Scope.Open("TensorFile.SaveSafetensors");
                stream.Write(Bytes(tensor));
            });
        }
        writer.Save(path);
    }

    /// <summary>Reads all tensors of a safetensors file.</summary>
    /// <exception cref="FormatError">The file is damaged, or has an element type that tensors do not have.</exception>
    public static Dictionary<string, Tensor> LoadSafetensors(string path, Device? device = null)
    {
        using var file = SafetensorsFile.Open(path);
        var tensors = new Dictionary<string, Tensor>();
        foreach (var entry in file.Entries) tensors[entry.Name] = Read(file, entry.Name, device);
        return tensors;
    }

    /// <summary>Reads one tensor of an open safetensors file; the others are not touched.</summary>
    public static Tensor Read(SafetensorsFile file, string name, Device? device = null)
    {
        var entry = file[name];
        DType dtype = entry.DType switch
        {
            "F32" => DType.F32,
            "F64" => DType.F64,
            "BF16" => DType.BF16,
            "I32" => DType.I32,
            "U16" => DType.U16,
            "U8" => DType.U8,
            "BOOL" => DType.Bool,
            _ => throw new FormatError(file.Path, $"tensor '{name}' has elements of {entry.DType}, which are not supported",
                "convert it to F32 with the program that wrote it"),
        };
        return Make(file.Bytes(name), dtype, entry.Shape, file.Path, device);
    }

    private static Tensor Make(ReadOnlySpan<byte> bytes, DType dtype, IReadOnlyList<long> shape, string path, Device? device)
    {
        if (shape.Count > Shape.MaxRank || shape.Any(d => d > int.MaxValue))
            throw new FormatError(path, $"a tensor of shape [{string.Join(", ", shape)}] has too many or too large dimensions",
                $"at most {Shape.MaxRank} dimensions are supported");
        var tensor = Tensor.Empty(Shape.Create([.. shape.Select(d => (int)d)]), dtype, device ?? Device.Cpu);
        tensor.Backend.Upload(bytes, tensor.View);
        return tensor;
    }

    private static ReadOnlySpan<byte> Bytes(Tensor tensor) => tensor.DType switch
    {
        DType.F32 => MemoryMarshal.AsBytes<float>(tensor.ToArray<float>()),
        DType.F64 => MemoryMarshal.AsBytes<double>(tensor.ToArray<double>()),
        DType.BF16 => MemoryMarshal.AsBytes<BFloat16>(tensor.ToArray<BFloat16>()),
        DType.I32 => MemoryMarshal.AsBytes<int>(tensor.ToArray<int>()),
        DType.U16 => MemoryMarshal.AsBytes<ushort>(tensor.ToArray<ushort>()),
        DType.U8 => tensor.ToArray<byte>(),
        _ => MemoryMarshal.AsBytes<bool>(tensor.ToArray<bool>()),
    };

    private static long[] Long(in Shape shape) => [.. shape.ToArray().Select(d => (long)d)];
}
