using global::ILGPU;
using global::ILGPU.Runtime;

namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>What launching attention needs of a device. Everything is queued on one stream, in the order of the calls.</summary>
internal interface IAttentionDevice
{
    /// <summary>The launcher of a kernel, compiled on first use.</summary>
    TLauncher Kernel<TKernel, TLauncher>() where TKernel : struct, IKernel where TLauncher : Delegate;

    /// <summary>Where launches go.</summary>
    AcceleratorStream Stream { get; }

    /// <summary>The memory from a view's first element to the end of its block.</summary>
    ArrayView<E> On<E>(in View view) where E : unmanaged;

    /// <summary>Float32 memory until <see cref="Return"/>; it may be reused by work that is queued later.</summary>
    View Rent(in Shape shape);

    /// <summary>Gives memory back.</summary>
    void Return(in View view);
}

/// <summary>Attention for every accelerator: picks tiles and the number of parts of the keys, and launches.</summary>
internal static class PortableAttention
{
    /// <summary>Blocks that fill a large GPU. Fewer than that and the keys are cut into parts. Fixed: results must not depend on the device.</summary>
    private const int WantedBlocks = 256;

    /// <summary>Keys below which a part is not worth joining.</summary>
    private const int LeastKeys = 256;

    /// <summary>Columns of the output that one launch computes at most; a larger head dimension takes several, each with all scores.</summary>
    private const int Window = 256;

    /// <summary>Whether these kernels take the element type.</summary>
    public static bool Supports(DType dtype) => dtype is DType.F32 or DType.BF16;

    /// <summary>O and the log-sum-exp.</summary>
    public static void Forward(IAttentionDevice device, in AttentionViews views)
    {
        if (views.Q.DType == DType.BF16) Forward<Bf16>(device, views);
        else Forward<F32>(device, views);
    }

    /// <summary>dQ, dK and dV, overwritten.</summary>
    public static void Backward(IAttentionDevice device, in AttentionViews views, in View dO, in View dQ, in View dK, in View dV)
    {
        if (views.Q.DType == DType.BF16) Backward<Bf16>(device, views, dO, dQ, dK, dV);
        else Backward<F32>(device, views, dO, dQ, dK, dV);
    }

    private static void Forward<E>(IAttentionDevice device, in AttentionViews views) where E : unmanaged, IFloatElement<E>
    {
        var args = Args(views);
        if (args.RowCount * (long)args.Batch == 0) return;
        bool few = args.RowCount <= 8;
        switch (args.Dim)
        {
            case <= 64 when few: Forward<Tile8By64, E>(device, views, args); break;
            case <= 128 when few: Forward<Tile8By128, E>(device, views, args); break;
            case > 128 when few: Forward<Tile8By256, E>(device, views, args); break;
            case <= 64: Forward<Tile64By64, E>(device, views, args); break;
            case <= 128: Forward<Tile32By128, E>(device, views, args); break;
            default: Forward<Tile32By256, E>(device, views, args); break;
        }
    }

    private static void Forward<TTile, E>(IAttentionDevice device, in AttentionViews views, AttentionArgs args)
        where TTile : struct, IAttentionTile where E : unmanaged, IFloatElement<E>
    {
        int rows = 8 * TTile.Rows, blocks = checked((args.RowCount + rows - 1) / rows * args.Batch * args.KvHeads);
        int parts = Math.Max(1, Math.Min((WantedBlocks + blocks - 1) / blocks, args.Tk / LeastKeys));
        args.SplitKeys = Math.Max(1, (args.Tk + parts - 1) / parts + AttentionBlock.Columns - 1) / AttentionBlock.Columns * AttentionBlock.Columns;
        args.Splits = Math.Max(1, (args.Tk + args.SplitKeys - 1) / Math.Max(1, args.SplitKeys));

        var lse = device.On<float>(views.Lse);
        var (q, k, v) = (Operand<E>(device, views.Q), Operand<E>(device, views.K, views.Q), Operand<E>(device, views.V, views.Q));
        var (o, mask) = (Operand<E>(device, views.O), Mask(device, views));
        if (args.Splits == 1)
        {
            for (; args.Column < args.Dim; args.Column += Window) Launch<TTile, E, E>(device, q, k, v, o, lse, mask, args, blocks);
            return;
        }
        long total = (long)args.Batch * args.KvHeads * args.RowCount;
        var partial = device.Rent([checked((int)total), args.Splits, args.Dim]);
        var partialLse = device.Rent([checked((int)total), args.Splits]);
        for (; args.Column < args.Dim; args.Column += Window)
            Launch<TTile, E, F32>(device, q, k, v, device.On<F32>(partial), device.On<float>(partialLse), mask, args, checked(blocks * args.Splits));
        device.Kernel<AttentionCombine<E>,
            Action<AcceleratorStream, KernelConfig, ArrayView<float>, ArrayView<float>, ArrayView<E>, ArrayView<float>, AttentionArgs>>()(
            device.Stream, new KernelConfig(checked((int)total), AttentionBlock.Threads), device.On<float>(partial),
            device.On<float>(partialLse), o, lse, args);
        device.Return(partial);
        device.Return(partialLse);
    }

    private static void Launch<TTile, E, O>(IAttentionDevice device, ArrayView<E> q, ArrayView<E> k, ArrayView<E> v, ArrayView<O> o, ArrayView<float> lse,
        ArrayView<byte> mask, AttentionArgs args, int blocks)
        where TTile : struct, IAttentionTile where E : unmanaged, IFloatElement<E> where O : unmanaged, IFloatElement<O> =>
        device.Kernel<AttentionForward<TTile, E, O>, Action<AcceleratorStream, KernelConfig, ArrayView<E>, ArrayView<E>, ArrayView<E>, ArrayView<O>,
            ArrayView<float>, ArrayView<byte>, AttentionArgs>>()(device.Stream, new KernelConfig(blocks, AttentionBlock.Threads), q, k, v, o, lse, mask, args);

    private static void Backward<E>(IAttentionDevice device, in AttentionViews views, in View dO, in View dQ, in View dK, in View dV)
        where E : unmanaged, IFloatElement<E>
    {
        var args = Args(views);
        (args.DO, args.DQ, args.DK, args.DV) = (StridesOf(dO), StridesOf(dQ), StridesOf(dK), StridesOf(dV));
        switch (args.Dim)
        {
            case <= 64: Backward<Tile64By64, E>(device, views, dO, dQ, dK, dV, args); break;
            case <= 128: Backward<Tile32By128, E>(device, views, dO, dQ, dK, dV, args); break;
            default: Backward<Tile32By256, E>(device, views, dO, dQ, dK, dV, args); break;
        }
    }

    private static void Backward<TTile, E>(IAttentionDevice device, in AttentionViews views, in View dO, in View dQ, in View dK, in View dV, AttentionArgs args)
        where TTile : struct, IAttentionTile where E : unmanaged, IFloatElement<E>
    {
        const int Threads = AttentionBlock.Threads;
        int rows = 8 * TTile.Rows, pairs = args.Batch * args.KvHeads;
        long total = (long)pairs * args.RowCount;
        if (pairs == 0 || total == 0 && args.Tk == 0) return;
        // Without queries there are keys, whose gradients are zeros: the query operands are not read, any memory serves.
        var (q, k, v) = (Operand<E>(device, views.Q, views.K), Operand<E>(device, views.K, views.Q), Operand<E>(device, views.V, views.Q));
        var gradient = Operand<E>(device, dO, views.K);
        var (dq, dk, dv) = (Operand<E>(device, dQ, dK), Operand<E>(device, dK, dQ), Operand<E>(device, dV, dQ));
        var scalars = device.Rent([2, checked((int)Math.Max(1, total))]);
        var (delta, shift) = (device.On<float>(scalars.Select(0, 0)), device.On<float>(scalars.Select(0, 1)));
        var mask = Mask(device, views, views.K);
        if (total > 0)
        {
            device.Kernel<AttentionDelta<E>, Action<AcceleratorStream, KernelConfig, ArrayView<E>, ArrayView<E>, ArrayView<float>, ArrayView<float>,
                ArrayView<float>, AttentionArgs>>()(
                device.Stream, new KernelConfig(checked((int)((total + AttentionDelta<E>.Rows - 1) / AttentionDelta<E>.Rows)), Threads),
                Operand<E>(device, views.O), gradient, device.On<float>(views.Lse), delta, shift, args);
            var kernel = device.Kernel<AttentionQueryGrad<TTile, E>, Action<AcceleratorStream, KernelConfig, ArrayView<E>, ArrayView<E>, ArrayView<E>,
                ArrayView<E>, ArrayView<E>, ArrayView<float>, ArrayView<float>, ArrayView<byte>, AttentionArgs>>();
            var config = new KernelConfig(checked((args.RowCount + rows - 1) / rows * pairs), Threads);
            for (; args.Column < args.Dim; args.Column += Window) kernel(device.Stream, config, q, k, v, gradient, dq, delta, shift, mask, args);
        }
        if (args.Tk > 0)
        {
            var kernel = device.Kernel<AttentionKeyGrad<TTile, E>, Action<AcceleratorStream, KernelConfig, ArrayView<E>, ArrayView<E>, ArrayView<E>,
                ArrayView<E>, ArrayView<E>, ArrayView<E>, ArrayView<float>, ArrayView<float>, ArrayView<byte>, AttentionArgs>>();
            var config = new KernelConfig(checked((args.Tk + rows - 1) / rows * pairs), Threads);
            for (args.Column = 0; args.Column < args.Dim; args.Column += Window)
                kernel(device.Stream, config, q, k, v, gradient, dk, dv, delta, shift, mask, args);
        }
        device.Return(scalars);
    }

    // An operand without elements has no memory; another one stands in, and is not read.
    private static ArrayView<E> Operand<E>(IAttentionDevice device, in View view, in View? instead = null) where E : unmanaged =>
        device.On<E>(view.Count == 0 && instead is { } other ? other : view);

    private static ArrayView<byte> Mask(IAttentionDevice device, in AttentionViews views, in View? instead = null) =>
        device.On<byte>(views.Mask is { Count: > 0 } mask ? mask : views.Q.Count > 0 ? views.Q : instead ?? views.Q);

    private static AttentionStrides StridesOf(in View view) => new() { Batch = view.Strides[0], Token = view.Strides[1], Head = view.Strides[2] };

    private static AttentionArgs Args(in AttentionViews views)
    {
        int heads = views.Q.Shape[2], kvHeads = views.K.Shape[2];
        if (kvHeads == 0 || heads % kvHeads != 0)
            throw new ArgumentException($"Attention: {heads} query heads cannot share {kvHeads} key/value heads evenly; make heads a multiple of kv heads.");
        return new()
        {
            Batch = views.Q.Shape[0], Tq = views.Q.Shape[1], Tk = views.K.Shape[1], Heads = heads, KvHeads = kvHeads, Dim = views.Q.Shape[3],
            Causal = views.Causal ? 1 : 0, Scale = views.Scale, Splits = 1,
            Masked = views.Mask is { Count: > 0 } ? 1 : 0, MaskBatch = views.Mask?.Strides[0] ?? 0, MaskKey = views.Mask?.Strides[1] ?? 0,
            Q = StridesOf(views.Q), K = StridesOf(views.K), V = StridesOf(views.V), O = StridesOf(views.O),
        };
    }
}
