using System.Diagnostics;
using Sfn.Autograd;
using Sfn.Nn;

namespace Sfn.Bench;

/// <summary>The feedforward width → 4·width → width at 1024 tokens, all structures at 63 % and 32 % of the dense parameters.</summary>
internal static class FfnBench
{
    private const int Tokens = 1024;

    // Dense and structure take turns, so that a ratio compares neighbours in time, and the dense share stands for the whole comparison.
    public static void Run(Options options, Report report)
    {
        using var pause = Ops.Op.Pause();
        int[] widths = options.Width > 0 ? [options.Width] : [256, 512, 768, 1024, 2048];
        foreach (int width in widths)
        {
            report.Heading($"feedforward {width} -> {4 * width} -> {width}, {Tokens} tokens");
            var structures = Structures(width).Where(s => s.Name == "dense" || options.Wants(s.Name)).Select(s => new Candidate(s.Name, width, s.Ffn)).ToList();
            foreach (var candidate in structures) candidate.Verify(report);
            var dense = structures[0];
            foreach (var candidate in structures) candidate.WarmUp();
            foreach (var candidate in structures.Skip(1)) Turns(options, dense, candidate);
            if (structures.Count == 1) Turns(options, dense, dense);
            foreach (var candidate in structures) candidate.Line(report, width);
        }
    }

    private static void Turns(Options options, Candidate dense, Candidate other)
    {
        var turns = new BesidePeak<(double DenseForward, double OtherForward, double DenseBoth, double OtherBoth)>(2 * options.Seconds, 0.02);
        while (turns.More) turns.Measure(() => (dense.Forward(), other.Forward(), dense.Both(), other.Both()));
        foreach (var (turn, peak) in turns.Values)
        {
            dense.Add(turn.DenseForward, turn.DenseBoth, peak);
            if (other == dense) continue;
            other.Add(turn.OtherForward, turn.OtherBoth, peak);
            other.Compare(turn.DenseForward / turn.OtherForward, turn.DenseBoth / turn.OtherBoth);
        }
    }

    private static IEnumerable<(string Name, FfnConfig Ffn)> Structures(int w) =>
    [
        ("dense", Ffn.Dense()),
        ("lowrank 63 %", Ffn.LowRank(w / 2)), ("lowrank 32 %", Ffn.LowRank(w / 4)),
        ("blockdense 63 %", Ffn.BlockDense(2, 2 * w / 3 / 4 * 4)), ("blockdense 32 %", Ffn.BlockDense(2, w / 3 / 4 * 4)),
        ("blockshuffle 63 %", Ffn.BlockShuffle(2)), ("blockshuffle 32 %", Ffn.BlockShuffle(4)),
    ];

    private sealed class Candidate
    {
        private readonly Root _model;
        private readonly Tensor _x, _dy;
        private readonly string _name;
        private readonly double _flops;
        private readonly List<double> _forward = [], _both = [], _share = [], _fasterForward = [], _fasterBoth = [];

        public Candidate(string name, int width, FfnConfig structure)
        {
            _name = name;
            _model = new Root(new TransformerConfig { Width = width, Heads = 1, Layers = 1, FeedForward = structure, DenseFirstLayer = false }, structure);
            _x = Tensor.Randn([Tokens, width], 3);
            _dy = Tensor.Randn([Tokens, width], 4);
            _flops = 2.0 * Tokens * (_model.Ffn.Up.Map.ParameterCount + _model.Ffn.Down.Map.ParameterCount);
        }

        public void WarmUp()
        {
            for (int i = 0; i < 3; i++)
            {
                Forward();
                Both();
            }
        }

        /// <summary>Seconds of a forward pass.</summary>
        public double Forward()
        {
            long began = Stopwatch.GetTimestamp();
            using (Scope.Open()) _model.Ffn.Apply(_x);
            return Stopwatch.GetElapsedTime(began).TotalSeconds;
        }

        /// <summary>Seconds of forward and backward, to the input and all parameters.</summary>
        public double Both()
        {
            long began = Stopwatch.GetTimestamp();
            using (var tape = new Tape()) tape.Backward(_model.Ffn.Apply(tape.Watch(_x)), _dy);
            double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            foreach (var p in _model.Parameters) p.ClearGradient();
            return seconds;
        }

        public void Add(double forward, double both, double peak)
        {
            _forward.Add(forward);
            _both.Add(both);
            _share.Add(3 * _flops / both / peak);
        }

        public void Compare(double forward, double both)
        {
            _fasterForward.Add(forward);
            _fasterBoth.Add(both);
        }

        public void Line(Report report, int width)
        {
            bool compared = _fasterBoth.Count > 0;
            double share = Timing.Median(_share);
            report.Line("ffn", $"{width} {_name}", ("ms fwd", Timing.Median(_forward) * 1e3, "F2"), ("ms f+b", Timing.Median(_both) * 1e3, "F2"),
                ("x fwd", compared ? Timing.Median(_fasterForward) : 1, "F2"), ("x f+b", compared ? Timing.Median(_fasterBoth) : 1, "F2"),
                ("of peak", share, "P1"));
            Timing.Plausible(report, _name, share);
        }

        // The structure's output against its own merged matrices.
        public void Verify(Report report)
        {
            using var scope = Scope.Open();
            var few = _x.Narrow(0, 0, 8);
            var (up, down) = (_model.Ffn.Up, _model.Ffn.Down);
            var direct = _model.Ffn.Apply(few);
            var merged = few.Linear(up.Map.Merge(), up.Bias!.Value).Gelu().Linear(down.Map.Merge(), down.Bias!.Value);
            double error = (direct - merged).Abs().Max().Item() / merged.Abs().Max().Item();
            if (!(error < 1e-4)) report.Wrong(_name, $"differs from the merged matrices by {error:E1}");
        }
    }

    private sealed class Root : Module
    {
        public Root(TransformerConfig config, FfnConfig structure) => Ffn = new FeedForward(this, "ffn", config, structure, new Init(1, Device));

        public FeedForward Ffn { get; }
    }
}
