using System.Numerics;
using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Execution;

/// <summary>Counts how well accesses of shared memory spread over its 32 banks.</summary>
internal sealed unsafe class Statistics
{
    public long SharedAccesses { get; private set; }

    public long BankConflicts { get; private set; }

    public void Access(Warp warp, Instr instruction, uint lanes, int slot, int bytes)
    {
        if (instruction.Space != Space.Shared && !instruction.Name.StartsWith("cp.", StringComparison.Ordinal)) return;
        Span<uint> addresses = stackalloc uint[32];
        int count = 0;
        for (; lanes != 0; lanes &= lanes - 1)
            addresses[count++] = (uint)(warp.R[32 * slot + BitOperations.TrailingZeroCount(lanes)] + (ulong)instruction.Immediate);
        if (count > 0) Count(addresses[..count], Math.Max(4, bytes));
    }

    // A warp's access is served 128 bytes at a time: by quarters for 16 bytes per lane, by halves for 8. Each must touch a bank once.
    private void Count(ReadOnlySpan<uint> addresses, int bytes)
    {
        SharedAccesses++;
        int lanes = 128 / bytes;
        Span<uint> words = stackalloc uint[32];
        for (int first = 0; first < addresses.Length; first += lanes)
        {
            // Several lanes may read one word of a bank together.
            int distinct = 0, most = 1;
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

    public void Add(Statistics other) => (SharedAccesses, BankConflicts) = (SharedAccesses + other.SharedAccesses, BankConflicts + other.BankConflicts);
}
