using Sfn.CudaEmulator.Execution;

namespace Sfn.CudaEmulator;

/// <summary>Sizes of a launch: blocks, threads per block, and bytes of dynamic shared memory.</summary>
public readonly record struct LaunchShape(long GridX, int GridY, int GridZ, int BlockX, int BlockY, int BlockZ, int DynamicShared);

/// <summary>What a launch did: instructions (each counted once per thread) and, if asked for, accesses of shared memory and their bank conflicts.</summary>
public readonly record struct LaunchReport(long Instructions, long SharedAccesses, long BankConflicts);

/// <summary>A kernel, decoded and ready to run.</summary>
public sealed class PtxKernel
{
    internal PtxKernel(string name) => Name = name;

    /// <summary>The entry's name.</summary>
    public string Name { get; }

    /// <summary>The product of .maxntid, or 1024.</summary>
    public int MaxThreads { get; internal init; }

    /// <summary>Offset and size of every parameter, in bytes.</summary>
    public IReadOnlyList<(int Offset, int Bytes)> Parameters { get; internal init; } = [];

    /// <summary>Bytes of all parameters.</summary>
    public int ParameterBytes { get; internal init; }

    /// <summary>Bytes of shared memory that the text declares.</summary>
    public int SharedBytes { get; internal init; }

    /// <summary>Bytes of local memory per thread.</summary>
    public int LocalBytes { get; internal init; }

    internal Instr[] Code { get; init; } = [];

    internal int SlotCount { get; init; }

    internal int[] RegisterSlots { get; init; } = [];

    internal (int Slot, ulong Value)[] Constants { get; init; } = [];

    internal Dictionary<string, int> Specials { get; init; } = [];

    /// <summary>Runs all blocks, on all processors.</summary>
    /// <param name="shape">Sizes.</param>
    /// <param name="parameters">The values of the parameters as one piece of <see cref="ParameterBytes"/> bytes.</param>
    /// <param name="memory">What global accesses may touch.</param>
    /// <param name="statistics">Count shared accesses.</param>
    /// <exception cref="PtxFaultException">The kernel did something that a device would punish.</exception>
    public LaunchReport Launch(LaunchShape shape, ReadOnlySpan<byte> parameters, MemoryMap memory, bool statistics = false)
    {
        int threads = shape.BlockX * shape.BlockY * shape.BlockZ;
        if (threads <= 0 || threads > MaxThreads || shape.GridX <= 0 || shape.GridY <= 0 || shape.GridZ <= 0)
            throw new PtxFaultException(PtxFaultKind.BadLaunch, $"kernel {Name} cannot be launched as {shape}: it takes 1 to {MaxThreads} threads per block");
        if (parameters.Length < ParameterBytes)
            throw new PtxFaultException(PtxFaultKind.BadLaunch, $"kernel {Name} takes {ParameterBytes} bytes of parameters, not {parameters.Length}");
        byte[] values = parameters[..ParameterBytes].ToArray();
        long blocks = shape.GridX * shape.GridY * shape.GridZ, instructions = 0;
        var total = new Statistics();
        BlockRun New() => new(this, shape, values, memory, statistics ? new Statistics() : null);
        void Add(BlockRun run)
        {
            lock (total)
            {
                instructions += run.Executed;
                if (run.Statistics is { } counted) total.Add(counted);
            }
        }

        if (blocks == 1)
        {
            var run = New();
            run.Run(0);
            Add(run);
        }
        else
        {
            Parallel(blocks, New, Add);
        }
        return new(instructions, total.SharedAccesses, total.BankConflicts);
    }

    private static void Parallel(long blocks, Func<BlockRun> create, Action<BlockRun> add)
    {
        try
        {
            System.Threading.Tasks.Parallel.For(0, blocks, create, (block, _, run) =>
            {
                run.Run(block);
                return run;
            }, add);
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<PtxFaultException>().FirstOrDefault() is { } fault)
        {
            throw new PtxFaultException(fault.Kind, fault.Message);
        }
    }
}
