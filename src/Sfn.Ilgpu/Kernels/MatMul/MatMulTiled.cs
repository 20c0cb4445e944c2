using System.Runtime.CompilerServices;
using global::ILGPU;
using global::ILGPU.Runtime;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// c = a·b by tiles: a group brings 8 or 16 steps of k of its rows of a and columns of b into shared memory, and every thread multiplies a small
/// rectangle of them in registers, while the next steps are on their way from memory.
/// </summary>
/// <typeparam name="TTile">Sizes.</typeparam>
/// <typeparam name="RA">How a is read.</typeparam>
/// <typeparam name="RB">How b is read.</typeparam>
/// <typeparam name="A">Elements of a; the sums are float32 always.</typeparam>
/// <typeparam name="QA">Four of them.</typeparam>
/// <typeparam name="B">Elements of b.</typeparam>
/// <typeparam name="QB">Four of them.</typeparam>
/// <typeparam name="C">Elements of c and of the residual.</typeparam>
/// <typeparam name="QC">Four of them.</typeparam>
internal readonly struct MatMulTiled<TTile, RA, RB, A, QA, B, QB, C, QC> : IKernel
    where TTile : ITile where RA : IReader where RB : IReader
    where A : unmanaged, IElement<A> where QA : unmanaged, IQuad<QA, A>
    where B : unmanaged, IElement<B> where QB : unmanaged, IQuad<QB, B>
    where C : unmanaged, IElement<C> where QC : unmanaged, IQuad<QC, C>
{
    public static string Name => $"matmul_{A.Name}_{RA.Name}_{B.Name}_{RB.Name}_{C.Name}_{TTile.Size}";

    public static Delegate Body => (Action<MatMulParameters, ArrayView<A>, ArrayView<B>, ArrayView<C>, ArrayView<F32>, ArrayView<C>>)Run;

    // Conversions of narrow elements need registers of their own: better fewer groups than registers in memory.
    public static KernelSpecialization Bounds => new(2 * TTile.Size, Narrow ? Math.Max(1, TTile.Resident / 2) : TTile.Resident);

    private static bool Narrow => A.Name != F32.Name || B.Name != F32.Name;

    private static void Run(MatMulParameters p, ArrayView<A> a, ArrayView<B> b, ArrayView<C> c, ArrayView<F32> bias, ArrayView<C> residual)
    {
        // A step has four more lines than the tile: quads of steps are written without bank conflicts, and a step begins at a multiple of 16 bytes.
        var sharedA = SharedMemory.Allocate<F32x4>(2 * TTile.Depth * (TTile.Size + 4) / 4);
        var sharedB = SharedMemory.Allocate<F32x4>(2 * TTile.Depth * (TTile.Size + 4) / 4);
        var sums = LocalMemory.Allocate<float>(TTile.Rows * TTile.Columns);
        var ra = LocalMemory.Allocate<float>(TTile.Rows);
        var rb = LocalMemory.Allocate<float>(TTile.Columns);
        var nextA = LocalMemory.Allocate<QA>(TTile.Depth / 8);
        var nextB = LocalMemory.Allocate<QB>(TTile.Depth / 8);
        var saved = SharedMemory.Allocate<int>(TilePlace.Numbers);
        int t = Group.IdxX;
        var place = TilePlace.Of(p, TTile.Size, TTile.Size);
        if (t == 0) place.Save(saved);

        // This thread's quads, 8 steps apart. Lines past the matrix read its last ones.
        int lineA = RA.Line(t, TTile.Size), stepA = RA.Step(t, TTile.Size), lineB = RB.Line(t, TTile.Size), stepB = RB.Step(t, TTile.Size);
        int m = place.M + lineA < RA.Last(p.M) ? place.M + lineA : RA.Last(p.M), n = place.N + lineB < RB.Last(p.N) ? place.N + lineB : RB.Last(p.N);
        int leftA = place.End - place.Begin - stepA, leftB = place.End - place.Begin - stepB;
        int putA = RA.Place(lineA, stepA, TTile.Size + 4), putB = RB.Place(lineB, stepB, TTile.Size + 4);
        var panelA = new Panel { Line = p.ARow, Step = p.AColumn, Lines = p.M };
        var panelB = new Panel { Line = p.BColumn, Step = p.BRow, Lines = p.N };
        long moveA = RA.Count(8 * p.AColumn), moveB = RB.Count(8 * p.BRow);
        long atA = RA.Count(place.Batch0 * p.ABatch0 + place.Batch1 * p.ABatch1 + m * p.ARow + (place.Begin + stepA) * p.AColumn);
        long atB = RB.Count(place.Batch0 * p.BBatch0 + place.Batch1 * p.BBatch1 + n * p.BColumn + (place.Begin + stepB) * p.BRow);

        // 32 threads cover 8·4 rectangles: of the four reads of a quad by eight threads each, two pairs are of the same addresses.
        int warp = t >> 5;
        int ty = (warp & TTile.Size / TTile.Rows / 8 - 1) * 8 + (t >> 1 & 7), tx = warp / (TTile.Size / TTile.Rows / 8) * 4 + (t & 1 | t >> 3 & 2);

        for (int i = 0; i < TTile.Rows; i++)
            for (int j = 0; j < TTile.Columns; j++) sums[i * TTile.Columns + j] = 0;
        for (int i = 0; i < TTile.Depth / 8; i++)
        {
            RA.Store<A, QA>(sharedA, putA + RA.Place(0, 8 * i, TTile.Size + 4), TTile.Size + 4, RA.Load<A, QA>(a, panelA, atA + i * moveA, m, leftA - 8 * i));
            RB.Store<B, QB>(sharedB, putB + RB.Place(0, 8 * i, TTile.Size + 4), TTile.Size + 4, RB.Load<B, QB>(b, panelB, atB + i * moveB, n, leftB - 8 * i));
        }
        Group.Barrier();
        int side = 0;
        for (int steps = place.End - place.Begin; steps > 0; steps -= TTile.Depth)
        {
            leftA -= TTile.Depth;
            leftB -= TTile.Depth;
            atA += TTile.Depth / 8 * moveA;
            atB += TTile.Depth / 8 * moveB;
            for (int i = 0; i < TTile.Depth / 8; i++)
            {
                nextA[i] = RA.Load<A, QA>(a, panelA, atA + i * moveA, m, leftA - 8 * i);
                nextB[i] = RB.Load<B, QB>(b, panelB, atB + i * moveB, n, leftB - 8 * i);
            }
            long quadA = side * ((TTile.Size + 4) / 4) + ty, quadB = side * ((TTile.Size + 4) / 4) + tx;
            for (int s = 0; s < TTile.Depth; s += 8)
            {
                Step(sharedA, sharedB, ra, rb, sums, quadA, quadB, s);
                Step(sharedA, sharedB, ra, rb, sums, quadA, quadB, s + 1);
                Step(sharedA, sharedB, ra, rb, sums, quadA, quadB, s + 2);
                Step(sharedA, sharedB, ra, rb, sums, quadA, quadB, s + 3);
                Step(sharedA, sharedB, ra, rb, sums, quadA, quadB, s + 4);
                Step(sharedA, sharedB, ra, rb, sums, quadA, quadB, s + 5);
                Step(sharedA, sharedB, ra, rb, sums, quadA, quadB, s + 6);
                Step(sharedA, sharedB, ra, rb, sums, quadA, quadB, s + 7);
            }
            side = TTile.Depth - side;
            for (int i = 0; i < TTile.Depth / 8; i++)
            {
                RA.Store<A, QA>(sharedA, putA + RA.Place(0, side + 8 * i, TTile.Size + 4), TTile.Size + 4, nextA[i]);
                RB.Store<B, QB>(sharedB, putB + RB.Place(0, side + 8 * i, TTile.Size + 4), TTile.Size + 4, nextB[i]);
            }
            Group.Barrier();
        }

        // Registers are dear in the loop above: the place comes back from shared memory.
        place = TilePlace.Saved(saved);
        // One quad of the rectangle at a time, always from the front: registers have no index that a loop could count.
        for (int i = 0; i < p.ThreadRows; i++)
        {
            int row = place.M + (i >> 2) * (4 * TTile.Size / TTile.Rows) + ty * 4 + (i & 3);
            for (int j = 0; j < p.ThreadQuads; j++)
            {
                int column = place.N + j * (4 * TTile.Size / TTile.Columns) + tx * 4;
                if (row < p.M) TileStore.Put<C, QC>(p, place, row, column, sums[0], sums[1], sums[2], sums[3], c, bias, residual);
                for (int l = 0; l < TTile.Columns - 4; l++) sums[l] = sums[l + 4];
            }
            for (int l = 1; l < TTile.Rows; l++)
                for (int j = 0; j < TTile.Columns; j++) sums[(l - 1) * TTile.Columns + j] = sums[l * TTile.Columns + j];
        }
    }

    // One step of k: the thread's rows times its columns. A 64-bit index lets the assembler fold s into the address.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(ArrayView<F32x4> sharedA, ArrayView<F32x4> sharedB, ArrayView<float> ra, ArrayView<float> rb, ArrayView<float> sums,
        long quadA, long quadB, int s)
    {
        for (int i = 0; i < TTile.Rows / 4; i++)
        {
            F32x4 q = sharedA[quadA + s * ((TTile.Size + 4) / 4) + i * (TTile.Size / TTile.Rows)];
            ra[4 * i] = q.X;
            ra[4 * i + 1] = q.Y;
            ra[4 * i + 2] = q.Z;
            ra[4 * i + 3] = q.W;
        }
        for (int j = 0; j < TTile.Columns / 4; j++)
        {
            F32x4 q = sharedB[quadB + s * ((TTile.Size + 4) / 4) + j * (TTile.Size / TTile.Columns)];
            rb[4 * j] = q.X;
            rb[4 * j + 1] = q.Y;
            rb[4 * j + 2] = q.Z;
            rb[4 * j + 3] = q.W;
        }
        for (int i = 0; i < TTile.Rows; i++)
            for (int j = 0; j < TTile.Columns; j++) sums[i * TTile.Columns + j] = ra[i] * rb[j] + sums[i * TTile.Columns + j];
    }
}
