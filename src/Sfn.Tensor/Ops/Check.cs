namespace Sfn.Ops;

/// <summary>Argument checks shared by the ops; messages name the op, the values and the fix.</summary>
internal static class Check
{
    public static void Float(Tensor x, string op)
    {
        if (!x.DType.IsFloat()) throw new DTypeMismatch($"{op} needs a float tensor, not {x.DType.Name()}. Convert with To(DType.F32) first.");
    }

    public static void Same(Tensor a, Tensor b, string op)
    {
        if (a.DType != b.DType)
            throw new DTypeMismatch($"{op} of {a.DType.Name()} and {b.DType.Name()}: element types must be equal. Convert one with To(DType.{a.DType}).");
        Together(a, b, op);
    }

    /// <summary>A small operand (bias, weight of a norm) may be float32 beside bfloat16 activations.</summary>
    public static void Beside(Tensor x, Tensor small, string op)
    {
        if (small.DType == x.DType.Wide()) Together(x, small, op);
        else Same(x, small, op);
    }

    public static void Together(Tensor a, Tensor b, string op)
    {
        if (a.Device != b.Device) throw new DeviceMismatch($"{op} of tensors on {a.Device} and {b.Device}. Move one with To(device).");
    }

    public static void Integer(Tensor x, string op)
    {
        if (x.DType is not (DType.I32 or DType.U16 or DType.U8))
            throw new DTypeMismatch($"{op} needs integer indices (I32, U16 or U8), not {x.DType.Name()}.");
    }
}
