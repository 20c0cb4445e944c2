using System.Runtime.Intrinsics;

namespace Sfn.Backends.Cpu;

/// <summary>
/// Attention in memory linear in the sequence length: blocks of 64 queries by 64 keys with a running softmax
/// (Dao et al. 2022, arXiv 2205.14135). Results do not depend on the number of threads.
/// </summary>
internal static unsafe class FlashAttention
{
    [ThreadStatic] private static ForwardJob? t_forward;
    [ThreadStatic] private static BackwardJob? t_backward;
    [ThreadStatic] private static DecodeJob? t_decode;

    /// <summary>Writes O and, unless it is null, Lse.</summary>
    /// <exception cref="ArgumentException">Heads is not a multiple of KvHeads, or a size is impossible.</exception>
    public static void Forward(in AttentionProblem p)
    {
        p.Check();
        if (p.Tq == 1)
        {
            var decode = t_decode ??= new DecodeJob();
            decode.Problem = p;
            // One item per key/value head reads the cache once for all its query heads; too few of those are split further.
            int shared = p.Batch * p.KvHeads;
            decode.HeadsPerChunk = shared >= CpuPool.Threads ? p.Heads / p.KvHeads : 1;
            CpuPool.Run(decode, p.Batch * p.Heads / decode.HeadsPerChunk);
            return;
        }
        var job = t_forward ??= new ForwardJob();
        job.Problem = p;
        job.Blocks = (p.Tq + AttentionBlocks.Queries - 1) / AttentionBlocks.Queries;
        CpuPool.Run(job, checked(p.Batch * p.Heads * job.Blocks));
    }

    /// <summary>Writes DQ, DK and DV from DO and what the forward pass left in O and Lse.</summary>
    /// <exception cref="ArgumentException">Heads is not a multiple of KvHeads, or a size is impossible.</exception>
    public static void Backward(in AttentionProblem p)
    {
        p.Check();
        var job = t_backward ??= new BackwardJob();
        job.Problem = p;
        CpuPool.Run(job, p.Batch * p.KvHeads);
    }

    private sealed class ForwardJob : CpuJob
    {
        public AttentionProblem Problem;
        public int Blocks;

        public override void Run(int chunk)
        {
            int row = chunk / Blocks, batch = row / Problem.Heads, head = row % Problem.Heads;
            // The last queries see the most keys: the long items go first, the short ones even out the threads.
            int query = (Blocks - 1 - chunk % Blocks) * AttentionBlocks.Queries;
            if (Vector512.IsHardwareAccelerated) AttentionForward.Run<Simd512, Vector512<float>>(Problem, batch, head, query);
            else if (Vector256.IsHardwareAccelerated) AttentionForward.Run<Simd256, Vector256<float>>(Problem, batch, head, query);
            else AttentionForward.Run<Simd128, Vector128<float>>(Problem, batch, head, query);
        }
    }

    private sealed class BackwardJob : CpuJob
    {
        public AttentionProblem Problem;

        public override void Run(int chunk)
        {
            int batch = chunk / Problem.KvHeads, head = chunk % Problem.KvHeads;
            if (Vector512.IsHardwareAccelerated) AttentionBackward.Run<Simd512, Vector512<float>>(Problem, batch, head);
            else if (Vector256.IsHardwareAccelerated) AttentionBackward.Run<Simd256, Vector256<float>>(Problem, batch, head);
            else AttentionBackward.Run<Simd128, Vector128<float>>(Problem, batch, head);
        }
    }

    private sealed class DecodeJob : CpuJob
    {
        public AttentionProblem Problem;
        public int HeadsPerChunk;

        public override void Run(int chunk)
        {
            int first = chunk * HeadsPerChunk, batch = first / Problem.Heads, head = first % Problem.Heads;
            // Whole vectors along the head dim; the widest that divides it. Decoding is bound by memory, not by width.
            if (Vector512.IsHardwareAccelerated && Problem.HeadDim % 16 == 0)
                AttentionDecode.Run<Simd512, Vector512<float>>(Problem, batch, head, HeadsPerChunk);
            else if (Vector256.IsHardwareAccelerated && Problem.HeadDim % 8 == 0)
                AttentionDecode.Run<Simd256, Vector256<float>>(Problem, batch, head, HeadsPerChunk);
            else AttentionDecode.Run<Simd128, Vector128<float>>(Problem, batch, head, HeadsPerChunk);
        }
    }
}
