using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Sfn.Autograd;

/// <summary>One recorded op.</summary>
/// <param name="Op">Its name.</param>
/// <param name="Module">The module that ran it.</param>
/// <param name="Shape">Shape of the result.</param>
/// <param name="KeptBytes">Bytes held for the gradient; storage shared with other ops is counted by each.</param>
/// <param name="Flops">Floating-point operations of the forward pass.</param>
/// <param name="ForwardSeconds">Time from the op before to this one: its forward, and what ran unrecorded in between.</param>
/// <param name="BackwardSeconds">Time of its gradient; 0 before backward.</param>
public sealed record TapeEntry(string Op, string Module, Shape Shape, long KeptBytes, long Flops, double ForwardSeconds, double BackwardSeconds);

/// <summary>
/// What a tape recorded: op, shape, bytes kept, FLOPs, time. Make it right after the tape, before the ops to report:
/// <c>using var tape = new Tape(); var report = new TapeReport(tape);</c>
/// </summary>
public sealed class TapeReport
{
    private readonly List<TapeEntry> _entries = [];
    private readonly int _first;
    private long _last = Stopwatch.GetTimestamp();

    /// <summary>Starts to watch <paramref name="tape"/>.</summary>
    public TapeReport(Tape tape)
    {
        _first = tape.Count;
        tape.Report = this;
    }

    /// <summary>The recorded ops in order.</summary>
    public IReadOnlyList<TapeEntry> Entries => _entries;

    /// <summary>FLOPs of the forward pass.</summary>
    public long Flops => _entries.Sum(e => e.Flops);

    internal void Started() => _last = Stopwatch.GetTimestamp();

    internal void Recorded(Node node)
        => _entries.Add(new(node.Name, node.Module, node.Output?.Shape ?? default, node.KeptBytes, node.Flops, Lap(), 0));

    internal void Differentiated(int node)
    {
        double seconds = Lap();
        if (node >= _first) _entries[node - _first] = _entries[node - _first] with { BackwardSeconds = seconds };
    }

    private double Lap()
    {
        long before = _last;
        _last = Stopwatch.GetTimestamp();
        return Stopwatch.GetElapsedTime(before, _last).TotalSeconds;
    }

    /// <summary>A table, one line per op, with totals.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"op",-22} {"shape",-20} {"kept",10} {"MFLOP",10} {"fwd ms",8} {"bwd ms",8}  module");
        foreach (var e in _entries)
            text.AppendLine(CultureInfo.InvariantCulture,
                $"{e.Op,-22} {e.Shape,-20} {Memory.Format(e.KeptBytes),10} {e.Flops / 1e6,10:F2} {e.ForwardSeconds * 1e3,8:F2} " +
                    $"{e.BackwardSeconds * 1e3,8:F2}  {e.Module}");
        text.Append(CultureInfo.InvariantCulture,
            $"{_entries.Count + " ops",-43} {Memory.Format(_entries.Sum(e => e.KeptBytes)),10} {Flops / 1e6,10:F2} " +
                $"{_entries.Sum(e => e.ForwardSeconds) * 1e3,8:F2} {_entries.Sum(e => e.BackwardSeconds) * 1e3,8:F2}");
        return text.ToString();
    }
}
