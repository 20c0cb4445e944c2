using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Sfn.Tests.Gpu.Ptx;

/// <summary>
/// Runs a kernel's PTX strictly, to find what a GPU would forgive most of the time: an asynchronous copy lands only when it is waited for and
/// spoils its place until then, shared memory and registers begin as garbage, every address must be aligned and inside an allocation, warp-wide
/// instructions need all lanes. Also counts bank conflicts. Written from the PTX manual, knows only what the engine's matrix kernels use.
/// </summary>
internal sealed partial class PtxMachine
{
    private const uint Garbage = 0x7FC12345;
    private readonly PtxProgram _program;
    private readonly MachineMemory _memory;
    private readonly List<Thread> _active = new(32);
    private byte[] _parameters = [];
    private byte[] _shared = [];

    public PtxMachine(PtxProgram program, MachineMemory memory) => (_program, _memory) = (program, memory);

    /// <summary>Accesses of shared memory by a warp, and how many more cycles than one per 128 bytes they take.</summary>
    public long SharedAccesses { get; private set; }

    public long BankConflicts { get; private set; }

    /// <summary>All blocks of a grid, one after the other.</summary>
    public void Run(uint gridX, uint gridY, int sharedBytes, ReadOnlySpan<byte> parameters)
    {
        _parameters = parameters.ToArray();
        for (uint y = 0; y < gridY; y++)
            for (uint x = 0; x < gridX; x++) Block(x, y, sharedBytes);
    }

    private void Block(uint x, uint y, int sharedBytes)
    {
        _shared = new byte[sharedBytes];
        MemoryMarshal.Cast<byte, uint>(_shared.AsSpan()).Fill(Garbage);
        var threads = new Thread[_program.Threads];
        for (int i = 0; i < threads.Length; i++) threads[i] = new((uint)i, x, y, _program.Registers);
        while (Array.Exists(threads, t => !t.Done))
        {
            for (int warp = 0; warp < threads.Length; warp += 32)
                while (Step(threads.AsSpan(warp, 32))) { }
            Assert.True(Array.TrueForAll(threads, t => t.Waiting || t.Done), "a warp stands still");
            Assert.True(Array.TrueForAll(threads, t => t.Waiting) || Array.TrueForAll(threads, t => t.Done), "threads left before a barrier");
            foreach (var thread in threads) thread.Waiting = false;
        }
    }

    // The lanes that are furthest behind execute their instruction together.
    private bool Step(Span<Thread> warp)
    {
        int at = int.MaxValue;
        foreach (var lane in warp) if (lane is { Done: false, Waiting: false }) at = Math.Min(at, lane.At);
        if (at == int.MaxValue) return false;
        var instruction = _program.Instructions[at];
        var active = _active;
        active.Clear();
        foreach (var lane in warp)
        {
            if (lane.Done || lane.Waiting || lane.At != at) continue;
            lane.At++;
            if (instruction.Guard < 0 || lane.Registers[instruction.Guard] != 0 != instruction.Negated) active.Add(lane);
        }
        if (instruction.Opcode is "mma" or "ldmatrix" or "shfl" or "vote" || instruction.Has("warp"))
        {
            Assert.True(active.Count == 32, $"{instruction.Text}: only {active.Count} lanes are here");
            if (instruction.Opcode == "mma") Multiply(instruction, active);
            else if (instruction.Opcode == "ldmatrix") LoadMatrices(instruction, active);
            else if (instruction.Opcode == "shfl") Shuffle(instruction, active);
            else if (instruction.Opcode == "vote") Vote(instruction, active);
            return true;
        }
        CountConflicts(instruction, active);
        foreach (var lane in active) Execute(instruction, lane);
        return true;
    }

    private void Execute(Instruction i, Thread t)
    {
        switch (i.Opcode)
        {
            case "bar": t.Waiting = true; break;
            case "bra": t.At = i.Target; break;
            case "ret": t.Done = true; break;
            case "cp": CopyAsync(i, t); break;
            case "ld" when i.Has("param"):
                int offset = (int)i.Operands[1].Value;
                t.Set(i, i.IsWide ? BitConverter.ToUInt64(_parameters, offset) : BitConverter.ToUInt32(_parameters, offset));
                break;
            case "ld":
            case "st": Access(i, t); break;
            default: Compute(i, t); break;
        }
    }

    private void Access(Instruction i, Thread t)
    {
        bool load = i.Opcode == "ld";
        int size = i.Bytes;
        int[] registers = i.Operands[load ? 0 : 1].Registers!;
        ulong address = t.Address(i, load ? 1 : 0);
        int bytes = size * registers.Length;
        var place = i.IsShared ? Shared(i, (uint)address, bytes) : _memory.At(address, bytes, bytes, i.Text);
        for (int k = 0; k < registers.Length; k++)
        {
            var element = place.Slice(k * size, size);
            if (load && size == 1) t.Registers[registers[k]] = element[0];
            else if (load && size == 2) t.Registers[registers[k]] = BinaryPrimitives.ReadUInt16LittleEndian(element);
            else if (load && size == 8) t.Registers[registers[k]] = BinaryPrimitives.ReadUInt64LittleEndian(element);
            else if (load) t.Registers[registers[k]] = BinaryPrimitives.ReadUInt32LittleEndian(element);
            else if (size == 8) BinaryPrimitives.WriteUInt64LittleEndian(element, t.Registers[registers[k]]);
            else if (size == 2) BinaryPrimitives.WriteUInt16LittleEndian(element, (ushort)t.Registers[registers[k]]);
            else BinaryPrimitives.WriteUInt32LittleEndian(element, (uint)t.Registers[registers[k]]);
        }
    }

    private void CopyAsync(Instruction i, Thread t)
    {
        if (i.Has("commit_group"))
        {
            t.Groups.Enqueue(t.Open);
            t.Open = [];
            return;
        }
        if (i.Has("wait_all") || i.Has("wait_group"))
        {
            int keep = i.Has("wait_all") ? 0 : (int)i.Operands[0].Value;
            while (t.Groups.Count > keep) Land(t.Groups.Dequeue());
            if (i.Has("wait_all")) Land(t.Open);
            return;
        }
        int bytes = (int)i.Operands[2].Value, valid = (int)t.Value(i, 3);
        var copy = new Copy((uint)t.Address(i, 0), t.Address(i, 1), bytes, valid, i.Text);
        Assert.InRange(valid, 0, bytes);
        if (valid > 0) _memory.At(copy.From, valid, bytes, i.Text);
        MemoryMarshal.Cast<byte, uint>(Shared(i, copy.To, bytes)).Fill(Garbage);
        t.Open.Add(copy);
    }

    private void Land(List<Copy> copies)
    {
        foreach (var copy in copies)
        {
            var to = _shared.AsSpan((int)copy.To, copy.Bytes);
            to.Clear();
            if (copy.Valid > 0) _memory.At(copy.From, copy.Valid, copy.Bytes, copy.Text).CopyTo(to);
        }
        copies.Clear();
    }

    private Span<byte> Shared(Instruction i, uint address, int bytes)
    {
        Assert.True(address % bytes == 0 && address + bytes <= _shared.Length, $"{i.Text}: shared address {address} of {_shared.Length}");
        return _shared.AsSpan((int)address, bytes);
    }

    // A warp's access is served 128 bytes at a time: by quarters for 16 bytes per lane, by halves for 8. Each must touch a bank once.
    private void CountConflicts(Instruction i, List<Thread> active)
    {
        if (active.Count == 0 || !i.IsShared) return;
        bool copy = i.Opcode == "cp";
        int bytes = copy ? (int)i.Operands[2].Value : i.Has("v4") ? 16 : i.Has("v2") ? 8 : 4;
        Span<uint> addresses = stackalloc uint[active.Count];
        for (int k = 0; k < addresses.Length; k++) addresses[k] = (uint)active[k].Address(i, copy || i.Opcode == "st" ? 0 : 1);
        Count(addresses, bytes);
    }

    private void Count(ReadOnlySpan<uint> addresses, int bytes)
    {
        SharedAccesses++;
        int lanes = 128 / bytes;
        Span<uint> words = stackalloc uint[32];
        for (int first = 0; first < addresses.Length; first += lanes)
        {
            // Several lanes may read one word of a bank together.
            int distinct = 0, most = 0;
            foreach (uint address in addresses.Slice(first, Math.Min(lanes, addresses.Length - first)))
                for (uint word = address / 4; word < (address + (uint)bytes) / 4; word++)
                    if (!words[..distinct].Contains(word)) words[distinct++] = word;
            for (int k = 0; k < distinct; k++)
            {
                int same = 0;
                foreach (uint word in words[..distinct]) if (word % 32 == words[k] % 32) same++;
                most = Math.Max(most, same);
            }
            BankConflicts += most - 1;
        }
    }

    private sealed record Copy(uint To, ulong From, int Bytes, int Valid, string Text);

    private sealed class Thread
    {
        private readonly uint _index, _blockX, _blockY;

        public Thread(uint index, uint blockX, uint blockY, int registers)
        {
            (_index, _blockX, _blockY) = (index, blockX, blockY);
            Registers = new ulong[registers];
            Array.Fill(Registers, 0xDEADBEEF_DEADBEEF);
        }

        public ulong[] Registers { get; }

        public int At { get; set; }

        public bool Done { get; set; }

        public bool Waiting { get; set; }

        public List<Copy> Open { get; set; } = [];

        public Queue<List<Copy>> Groups { get; } = [];

        public ulong Address(Instruction i, int operand) => Registers[i.Operands[operand].Register] + i.Operands[operand].Value;

        public void Set(Instruction i, ulong value) => Registers[i.Operands[0].Register] = value;

        public ulong Value(Instruction i, int operand)
        {
            var o = i.Operands[operand];
            return o.Kind switch
            {
                OperandKind.Register => Registers[o.Register],
                OperandKind.Constant => o.Value,
                _ => o.Name switch
                {
                    "%tid.x" => _index,
                    "%ctaid.x" => _blockX,
                    "%ctaid.y" => _blockY,
                    "dynamic_shared" => 0,
                    _ => throw new NotSupportedException(i.Text),
                },
            };
        }
    }
}
