using System.Globalization;

namespace Sfn.Peers;

/// <summary>What the command line asks for.</summary>
internal sealed class Options
{
    public const string Usage = """
        usage: Sfn.Peers COMMAND [options]
          ffn      feedforward 768 -> 3072 -> 768 of all structures in TorchSharp and in Sfn, interleaved
          step     whole training steps (a) 6 x 384 and (b) 12 x 768: tokens/s of both, peak memory of (b)
        options:
          --strongest       run libtorch at its best: tuned malloc, and MKL's AVX-512 path on processors that are not Intel's
          --learned         step: learned positions instead of rotary ones, which torch has no single op for
          --json            one JSON object per line
          --threads N       threads of both engines (default: all)
          --seconds X       measuring time per figure (default: 1)
          --only TEXT       only figures whose name contains TEXT
        """;

    public Options(string[] args)
    {
        Command = args.Length > 0 ? args[0] : "";
        for (int i = 1; i < args.Length; i++)
        {
            string Next() => i + 1 < args.Length ? args[++i] : throw new ArgumentException($"{args[i]} needs a value");
            switch (args[i])
            {
                case "--strongest": Strongest = true; break;
                case "--learned": Learned = true; break;
                case "--json": Json = true; break;
                case "--threads": Threads = int.Parse(Next(), CultureInfo.InvariantCulture); break;
                case "--seconds": Seconds = double.Parse(Next(), CultureInfo.InvariantCulture); break;
                case "--only": Only = Next(); break;
                case "--engine": Engine = Next(); break;
                default: throw new ArgumentException($"unknown option {args[i]}");
            }
        }
    }

    public string Command { get; }
    public bool Strongest { get; }
    public bool Learned { get; }
    public bool Json { get; }
    public int Threads { get; } = Environment.ProcessorCount;
    public double Seconds { get; } = 1;
    public string Only { get; } = "";

    /// <summary>The engine that the hidden command <c>memory</c> runs, alone in its process.</summary>
    public string Engine { get; } = "";

    public bool Wants(string name) => name.Contains(Only, StringComparison.OrdinalIgnoreCase);
}
