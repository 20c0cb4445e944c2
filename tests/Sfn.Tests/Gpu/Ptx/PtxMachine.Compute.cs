namespace Sfn.Tests.Gpu.Ptx;

internal sealed partial class PtxMachine
{
    private static float Float(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);

    // Arithmetic of one thread.
    private static void Compute(Instruction i, Thread t)
    {
        ulong a = t.Value(i, 1), b = i.Operands.Length > 2 ? t.Value(i, 2) : 0, c = i.Operands.Length > 3 ? t.Value(i, 3) : 0;
        ulong value = i.IsFloat && i.Opcode is not ("cvt" or "mov" or "setp") ? Bits(Floats(i, Float(a), Float(b), Float(c))) : Integers(i, a, b, c);
        t.Set(i, i.GivesWide ? value : (uint)value);
    }

    private static float Floats(Instruction i, float a, float b, float c) => i.Opcode switch
    {
        "add" => a + b,
        "sub" => a - b,
        "mul" => a * b,
        "div" => a / b,
        "fma" => MathF.FusedMultiplyAdd(a, b, c),
        "neg" => -a,
        "ex2" => Flush(i, (float)Math.Pow(2, a)),
        "lg2" => (float)Math.Log2(a),
        "rcp" => 1 / a,
        // Without .NaN the other operand wins over NaN.
        "min" => i.Has("NaN") || !(float.IsNaN(a) || float.IsNaN(b)) ? MathF.Min(a, b) : float.IsNaN(a) ? b : a,
        "max" => i.Has("NaN") || !(float.IsNaN(a) || float.IsNaN(b)) ? MathF.Max(a, b) : float.IsNaN(a) ? b : a,
        _ => throw new NotSupportedException(i.Text),
    };

    // .ftz: results below the normal range are zero.
    private static float Flush(Instruction i, float value) => i.Has("ftz") && Math.Abs(value) < 1.17549435e-38f ? 0 : value;

    private static ulong Integers(Instruction i, ulong a, ulong b, ulong c) => i.Opcode switch
    {
        "mov" => a,
        "add" => a + b,
        "sub" => a - b,
        "mul" => i.GivesWide && !i.IsWide ? (ulong)(uint)a * (uint)b : a * b,
        "mad" => a * b + c,
        "min" => i.IsSigned ? (uint)Math.Min((int)a, (int)b) : Math.Min((uint)a, (uint)b),
        "max" => i.IsSigned ? (uint)Math.Max((int)a, (int)b) : Math.Max((uint)a, (uint)b),
        "div" => i.IsSigned ? (uint)((int)a / (int)b) : (uint)a / (uint)b,
        "rem" => (uint)a % (uint)b,
        "and" => a & b,
        "or" => a | b,
        "xor" => a ^ b,
        "shl" => (uint)a << (int)b,
        "shr" => (uint)a >> (int)b,
        "selp" => c != 0 ? a : b,
        "setp" => SetPredicate(i, a, b, c),
        "cvt" => Convert(i, a, b),
        _ => throw new NotSupportedException(i.Text),
    };

    private static bool Compare(string relation, int order) => relation switch
    {
        "eq" => order == 0,
        "ne" => order != 0,
        "gt" => order > 0,
        "ge" => order >= 0,
        "lt" => order < 0,
        "le" => order <= 0,
        _ => throw new NotSupportedException(relation),
    };

    private static ulong Convert(Instruction i, ulong a, ulong b) => i.Name switch
    {
        "cvt.u64.u32" => (uint)a,
        "cvt.rna.tf32.f32" => Tf32((uint)a, tiesToEven: false),
        "cvt.rn.tf32.f32" => Tf32((uint)a, tiesToEven: true),
        "cvt.rn.bf16x2.f32" => ((uint)Bf16(Float(a)) << 16) | Bf16(Float(b)),
        _ => throw new NotSupportedException(i.Text),
    };

    /// <summary>float32 rounded to tf32's 10 bits of mantissa.</summary>
    public static uint Tf32(uint bits, bool tiesToEven) =>
        (bits & 0x7F800000) == 0x7F800000 ? bits : (bits + (tiesToEven ? 0xFFF + ((bits >> 13) & 1) : 0x1000)) & ~0x1FFFu;

    private static ushort Bf16(float value) => float.IsNaN(value) ? (ushort)0x7FFF : ((BFloat16)value).Bits;

    // Lane l gets, of each 8x8 matrix of 16-bit elements, row l/4 and columns 2(l%4), 2(l%4)+1; transposed, rows and columns change places. The
    // addresses of matrix k's rows come from lanes 8k … 8k+7.
    private void LoadMatrices(Instruction i, List<Thread> warp)
    {
        uint[] rows = [.. warp.Select(t => (uint)t.Address(i, 1))];
        Count(rows, 16);
        int[] registers = i.Operands[0].Registers!;
        for (int matrix = 0; matrix < registers.Length; matrix++)
        {
            uint Element(int row, int column) => BitConverter.ToUInt16(Shared(i, rows[8 * matrix + row], 16).Slice(2 * column, 2));
            for (int lane = 0; lane < 32; lane++)
            {
                int row = lane / 4, column = 2 * (lane % 4);
                warp[lane].Registers[registers[matrix]] = i.Has("trans")
                    ? Element(column, row) | (Element(column + 1, row) << 16)
                    : Element(row, column) | (Element(row, column + 1) << 16);
            }
        }
    }

    // The fragments of m16n8k16 (bf16, two elements per register) and m16n8k8 (tf32, one).
    private static void Multiply(Instruction i, List<Thread> warp)
    {
        bool half = i.Has("bf16");
        int each = half ? 2 : 1, k = 8 * each;
        double[] a = new double[16 * k], b = new double[8 * k];
        for (int lane = 0; lane < 32; lane++)
        {
            int g = lane / 4, t = lane % 4;
            for (int r = 0; r < 4; r++)
                for (int e = 0; e < each; e++)
                    a[(g + 8 * (r & 1)) * k + each * t + e + k / 2 * (r >> 1)] = Factor(warp[lane].Registers[i.Operands[1].Registers![r]], e);
            for (int r = 0; r < 2; r++)
                for (int e = 0; e < each; e++) b[g * k + each * t + e + k / 2 * r] = Factor(warp[lane].Registers[i.Operands[2].Registers![r]], e);
        }
        for (int lane = 0; lane < 32; lane++)
        {
            for (int r = 0; r < 4; r++)
            {
                int row = lane / 4 + 8 * (r >> 1), column = 2 * (lane % 4) + (r & 1);
                double sum = Float(warp[lane].Registers[i.Operands[3].Registers![r]]);
                for (int x = 0; x < k; x++) sum += a[row * k + x] * b[column * k + x];
                warp[lane].Registers[i.Operands[0].Registers![r]] = Bits((float)sum);
            }
        }

        double Factor(ulong register, int element)
        {
            if (half) return Float(element == 0 ? register << 16 : register & 0xFFFF0000);
            Assert.True(float.IsNaN(Float(register)) || (register & 0x1FFF) == 0, $"{i.Text}: a factor was not rounded to tf32");
            return Float(register);
        }
    }
}
