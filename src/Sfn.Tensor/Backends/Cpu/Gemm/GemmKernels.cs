using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using unsafe DotKernel = delegate*<long, float*, long, float*, long, float*, long, void>;
using unsafe TileKernel = delegate*<long, float*, long, long, float*, long, float*, long, float, int, float*, long, void>;

namespace Sfn.Backends.Cpu;

/// <summary>The micro-kernels of this machine's vector width, chosen once.</summary>
internal static unsafe class GemmKernels
{
    /// <summary>Floats in a vector, rows and columns of the largest register tile, rows of x in the largest dot kernel.</summary>
    public static readonly int Width, Mr, Nr, DotRows;

    private const int MaxRows = 8, MaxVectors = 3;
    private static readonly nint[] s_tiles = new nint[(MaxRows + 1) * (MaxVectors + 1)];
    private static readonly nint[] s_dots = new nint[5];

    static GemmKernels()
    {
        if (Vector512.IsHardwareAccelerated)
        {
            (Width, Mr, Nr, DotRows) = (16, 8, 48, 4);
            Rows(8, &MicroKernels512.Tile8x1, &MicroKernels512.Tile8x2, &MicroKernels512.Tile8x3);
            Rows(4, &MicroKernels512.Tile4x1, &MicroKernels512.Tile4x2, &MicroKernels512.Tile4x3);
            Rows(2, &MicroKernels512.Tile2x1, &MicroKernels512.Tile2x2, &MicroKernels512.Tile2x3);
            Rows(1, &MicroKernels512.Tile1x1, &MicroKernels512.Tile1x2, &MicroKernels512.Tile1x3);
            Dots(&MicroKernels512.Dot1x4, &MicroKernels512.Dot2x4, &MicroKernels512.Dot4x4);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            // 16 registers: 12 accumulators, two of B and one broadcast.
            (Width, Mr, Nr, DotRows) = (8, 6, 16, 2);
            Rows(6, &MicroKernels256.Tile6x1, &MicroKernels256.Tile6x2, null);
            Rows(4, &MicroKernels256.Tile4x1, &MicroKernels256.Tile4x2, null);
            Rows(2, &MicroKernels256.Tile2x1, &MicroKernels256.Tile2x2, null);
            Rows(1, &MicroKernels256.Tile1x1, &MicroKernels256.Tile1x2, null);
            Dots(&MicroKernels256.Dot1x4, &MicroKernels256.Dot2x4, null);
        }
        else
        {
            // Arm has 32 registers, x86 without AVX has 16.
            (Width, Mr, Nr, DotRows) = AdvSimd.Arm64.IsSupported ? (4, 8, 12, 2) : (4, 5, 8, 2);
            Rows(8, &MicroKernels128.Tile8x1, &MicroKernels128.Tile8x2, &MicroKernels128.Tile8x3);
            Rows(5, &MicroKernels128.Tile5x1, &MicroKernels128.Tile5x2, null);
            Rows(4, &MicroKernels128.Tile4x1, &MicroKernels128.Tile4x2, &MicroKernels128.Tile4x3);
            Rows(2, &MicroKernels128.Tile2x1, &MicroKernels128.Tile2x2, &MicroKernels128.Tile2x3);
            Rows(1, &MicroKernels128.Tile1x1, &MicroKernels128.Tile1x2, &MicroKernels128.Tile1x3);
            Dots(&MicroKernels128.Dot1x4, &MicroKernels128.Dot2x4, null);
        }
    }

    /// <summary>The kernel of a tile of <paramref name="rows"/> rows (as <see cref="StepOf"/> gives them) by <paramref name="vectors"/> vectors.</summary>
    public static TileKernel Tile(int rows, int vectors) => (TileKernel)s_tiles[rows * (MaxVectors + 1) + vectors];

    /// <summary>The kernel of <paramref name="rows"/> rows of x (a power of two up to <see cref="DotRows"/>) by four rows of W.</summary>
    public static DotKernel Dot(int rows) => (DotKernel)s_dots[rows];

    /// <summary>Rows of the largest tile that fits into <paramref name="rows"/> rows.</summary>
    public static int StepOf(int rows) => rows >= Mr ? Mr : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;

    private static void Rows(int rows, TileKernel one, TileKernel two, TileKernel three)
    {
        int at = rows * (MaxVectors + 1);
        (s_tiles[at + 1], s_tiles[at + 2], s_tiles[at + 3]) = ((nint)one, (nint)two, (nint)three);
    }

    private static void Dots(DotKernel one, DotKernel two, DotKernel four) => (s_dots[1], s_dots[2], s_dots[4]) = ((nint)one, (nint)two, (nint)four);
}
