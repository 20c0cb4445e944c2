using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Execution;

/// <summary>Tensor-core instructions, from the fragment layouts of the PTX manual ("Warp-level matrix instructions").</summary>
internal static unsafe class Matrices
{
    // Lane l gets, of each 8x8 matrix of 16-bit elements, row l/4 and columns 2(l%4), 2(l%4)+1; transposed, rows and columns change places. The
    // addresses of matrix k's rows come from lanes 8k … 8k+7.
    public static void Load(Warp warp, Instr instruction, uint lanes)
    {
        warp.NeedAll(instruction, lanes);
        int[] registers = instruction.Lists[0];
        uint addressed = registers.Length == 4 ? uint.MaxValue : (1u << (8 * registers.Length)) - 1;
        warp.Block.Statistics?.Access(warp, instruction, addressed, instruction.A, 16);
        bool transposed = instruction.B != 0;
        Span<ushort> elements = stackalloc ushort[64];
        // All rows are read before any register is written: the address may be in one of them.
        Span<uint> results = stackalloc uint[32 * 4];
        for (int matrix = 0; matrix < registers.Length; matrix++)
        {
            for (int row = 0; row < 8; row++)
            {
                int lane = 8 * matrix + row;
                byte* from = MemoryAccess.At(warp, instruction, lane, warp.R[32 * instruction.A + lane] + (ulong)instruction.Immediate, 16, 16, Intent.Read);
                new ReadOnlySpan<ushort>(from, 8).CopyTo(elements[(8 * row)..]);
            }
            for (int lane = 0; lane < 32; lane++)
            {
                int row = lane / 4, column = 2 * (lane % 4);
                results[32 * matrix + lane] = transposed
                    ? elements[8 * column + row] | ((uint)elements[8 * (column + 1) + row] << 16)
                    : elements[8 * row + column] | ((uint)elements[8 * row + column + 1] << 16);
            }
        }
        for (int matrix = 0; matrix < registers.Length; matrix++)
            for (int lane = 0; lane < 32; lane++) warp.R[32 * registers[matrix] + lane] = results[32 * matrix + lane];
    }

    // The fragments of m16n8k16 (bf16, two elements per register) and m16n8k8 (tf32, one). Sums are rounded once.
    public static void Multiply(Warp warp, Instr instruction, uint lanes)
    {
        warp.NeedAll(instruction, lanes);
        bool half = instruction.Type == PtxType.BF16;
        int each = half ? 2 : 1, k = 8 * each;
        int[] toD = instruction.Lists[0], fromA = instruction.Lists[1], fromB = instruction.Lists[2], fromC = instruction.Lists[3];
        Span<double> a = stackalloc double[16 * k], b = stackalloc double[8 * k];
        for (int lane = 0; lane < 32; lane++)
        {
            int g = lane / 4, t = lane % 4;
            for (int r = 0; r < 4; r++)
                for (int e = 0; e < each; e++) a[(g + 8 * (r & 1)) * k + each * t + e + k / 2 * (r >> 1)] = Factor(warp, instruction, fromA[r], lane, half, e);
            for (int r = 0; r < 2; r++)
                for (int e = 0; e < each; e++) b[g * k + each * t + e + k / 2 * r] = Factor(warp, instruction, fromB[r], lane, half, e);
        }
        Span<float> results = stackalloc float[32 * 4];
        for (int lane = 0; lane < 32; lane++)
        {
            for (int r = 0; r < 4; r++)
            {
                int row = lane / 4 + 8 * (r >> 1), column = 2 * (lane % 4) + (r & 1);
                double sum = Scalars.F(warp.R[32 * fromC[r] + lane]);
                var left = a.Slice(row * k, k);
                var right = b.Slice(column * k, k);
                for (int x = 0; x < k; x++) sum += left[x] * right[x];
                results[4 * lane + r] = (float)sum;
            }
        }
        for (int lane = 0; lane < 32; lane++)
            for (int r = 0; r < 4; r++) warp.R[32 * toD[r] + lane] = Scalars.U(results[4 * lane + r]);
    }

    private static double Factor(Warp warp, Instr instruction, int slot, int lane, bool half, int element)
    {
        uint register = (uint)warp.R[32 * slot + lane];
        if (half) return Scalars.F(element == 0 ? register << 16 : register & 0xFFFF_0000);
        // The unit drops the low bits; a kernel that leaves them there rounds towards zero without knowing.
        if (!float.IsNaN(Scalars.F(register)) && (register & 0x1FFF) != 0)
            throw warp.Fault(PtxFaultKind.Undefined, instruction, $"thread {warp.Thread(1u << lane)}: the factor 0x{register:X8} was not rounded to tf32");
        return Scalars.F(register);
    }
}
