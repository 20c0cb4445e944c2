namespace Sfn.Tests.Gpu.Emulator;

/// <summary>Tensor-core instructions against plain sums, with fragments laid out as the PTX manual's tables say.</summary>
public class MatrixTests
{
    // Register i of a lane is word 32 i + lane; the result goes where A was.
    private const string LoadFragments = """
        mul.wide.u32 %rd1, %r0, 4;
        add.u64 %rd1, %rd0, %rd1;
        ld.global.b32 %r1, [%rd1]; ld.global.b32 %r2, [%rd1+128]; ld.global.b32 %r3, [%rd1+256]; ld.global.b32 %r4, [%rd1+384];
        ld.global.b32 %r5, [%rd1+512]; ld.global.b32 %r6, [%rd1+640];
        mov.f32 %f0, 0f3F800000; mov.f32 %f1, 0f3F800000; mov.f32 %f2, 0f3F800000; mov.f32 %f3, 0f3F800000;

        """;

    private const string StoreFragment = """

        st.global.f32 [%rd1], %f0; st.global.f32 [%rd1+128], %f1; st.global.f32 [%rd1+256], %f2; st.global.f32 [%rd1+384], %f3;
        """;

    [Fact]
    public void MultipliesBfloat16()
    {
        var random = new Random(1);
        float[,] a = Small(random, 16, 16), b = Small(random, 16, 8);
        uint[] input = new uint[6 * 32];
        for (int lane = 0; lane < 32; lane++)
        {
            int group = lane >> 2, inGroup = lane & 3;
            for (int i = 0; i < 8; i++)
            {
                // A: row = group, or group + 8 for a2, a3, a6, a7; column = 2 inGroup + (i & 1), + 8 for i >= 4.
                int row = i is 2 or 3 or 6 or 7 ? group + 8 : group, column = 2 * inGroup + (i & 1) + (i >= 4 ? 8 : 0);
                input[32 * (i / 2) + lane] |= Bfloat16(a[row, column]) << (16 * (i & 1));
            }
            for (int i = 0; i < 4; i++)
            {
                // B: row = 2 inGroup + (i & 1), + 8 for i >= 2; column = group.
                int row = 2 * inGroup + (i & 1) + (i >= 2 ? 8 : 0);
                input[32 * (4 + i / 2) + lane] |= Bfloat16(b[row, group]) << (16 * (i & 1));
            }
        }
        string multiply = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0,%f1,%f2,%f3}, {%r1,%r2,%r3,%r4}, {%r5,%r6}, {%f0,%f1,%f2,%f3};";
        Check(a, b, Kernels.Run(LoadFragments + multiply + StoreFragment, count: 192, values: input));
    }

    [Fact]
    public void MultipliesTf32()
    {
        var random = new Random(2);
        float[,] a = Small(random, 16, 8), b = Small(random, 8, 8);
        uint[] input = new uint[6 * 32];
        for (int lane = 0; lane < 32; lane++)
        {
            int group = lane >> 2, inGroup = lane & 3;
            // A: row = group for a0 and a2, else group + 8; column = inGroup for a0 and a1, else inGroup + 4. B: rows inGroup and inGroup + 4, column group.
            for (int i = 0; i < 4; i++)
                input[32 * i + lane] = BitConverter.SingleToUInt32Bits(a[i is 0 or 2 ? group : group + 8, i < 2 ? inGroup : inGroup + 4]);
            for (int i = 0; i < 2; i++) input[32 * (4 + i) + lane] = BitConverter.SingleToUInt32Bits(b[i == 0 ? inGroup : inGroup + 4, group]);
        }
        string multiply = "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f0,%f1,%f2,%f3}, {%r1,%r2,%r3,%r4}, {%r5,%r6}, {%f0,%f1,%f2,%f3};";
        Check(a, b, Kernels.Run(LoadFragments + multiply + StoreFragment, count: 192, values: input));
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(4, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(4, true)]
    public void LoadsMatricesOf16Bits(int count, bool transposed)
    {
        // Element (row, column) of matrix k is 64 k + 8 row + column, in rows of 16 bytes one after another.
        uint[] elements = [.. Enumerable.Range(0, 128).Select(i => (uint)(2 * i | ((2 * i + 1) << 16)))];
        string registers = string.Join(',', Enumerable.Range(1, count).Select(i => $"%r{i}"));
        string stores = string.Concat(Enumerable.Range(0, count).Select(i => $"st.global.b32 [%rd2+{128 * i}], %r{i + 1}; "));
        uint[] loaded = Kernels.Run($$"""
            mul.wide.u32 %rd1, %r0, 16;
            add.u64 %rd1, %rd0, %rd1;
            mov.u32 %r8, tile;
            mad.lo.u32 %r9, %r0, 16, %r8;
            ld.global.v4.b32 {%r1,%r2,%r3,%r4}, [%rd1];
            st.shared.v4.b32 [%r9], {%r1,%r2,%r3,%r4};
            bar.sync 0;
            ldmatrix.sync.aligned.m8n8.x{{count}}{{(transposed ? ".trans" : "")}}.shared.b16 {{{registers}}}, [%r9];
            mul.wide.u32 %rd1, %r0, 4;
            add.u64 %rd2, %rd0, %rd1;
            {{stores}}
            """, count: 128, declarations: ".shared .align 16 .b8 tile[512];", values: elements);
        for (int matrix = 0; matrix < count; matrix++)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                for (int half = 0; half < 2; half++)
                {
                    int row = lane / 4, column = 2 * (lane % 4) + half;
                    int expected = 64 * matrix + (transposed ? 8 * column + row : 8 * row + column);
                    Assert.Equal(expected, (int)(loaded[32 * matrix + lane] >> (16 * half) & 0xFFFF));
                }
            }
        }
    }

    // C begins as ones; lane's c0, c1 are in row lane / 4, c2, c3 eight rows below, columns 2 (lane % 4) and the next.
    private static void Check(float[,] a, float[,] b, uint[] c)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            for (int i = 0; i < 4; i++)
            {
                int row = (lane >> 2) + (i < 2 ? 0 : 8), column = 2 * (lane & 3) + (i & 1);
                double sum = 1;
                for (int k = 0; k < b.GetLength(0); k++) sum += (double)a[row, k] * b[k, column];
                // Few bits: the sum is exact in any order.
                Assert.Equal((float)sum, BitConverter.UInt32BitsToSingle(c[32 * i + lane]));
            }
        }
    }

    private static float[,] Small(Random random, int rows, int columns)
    {
        float[,] matrix = new float[rows, columns];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) matrix[i, j] = random.Next(-64, 65) / 8f;
        return matrix;
    }

    private static uint Bfloat16(float value) => BitConverter.SingleToUInt32Bits(value) >> 16;
}
