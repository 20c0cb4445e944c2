using System.Globalization;
using System.Runtime.Intrinsics;

namespace Sfn.Bench;

/// <summary>What the command line asks for.</summary>
internal sealed class Options
{
    public const string Usage = """
        usage: Sfn.Bench COMMAND [options]
          limits   FMA peak and bandwidth of this machine, then every hot kernel as a share of its limit
          ffn      feedforward of all structures at 63 % and 32 %: time and speed-up over dense
          step     whole training steps (a) 6 x 384 and (b) 12 x 768: tokens/s, share of the peak, memory
          matmul   the steps from three loops to the engine's matrix product (--only N: that step)
          decode   generation with model (b) for all structures: tokens/s, bytes per token, share of the read bandwidth
          scaling  training tokens/s against threads, width, context and vocabulary; attention's memory against context (--only NAME: one of them)
          busy     matmul while another process keeps a core busy, against the same in quiet: at least a third
          guard    a quick look at products, a pass, a step and generation: wrong results and allocations fail, timing never does
          suite    everything that matters on one device (a GPU): verified, timed by the device's events, as shares of limits measured in the same run
          ptx      writes the PTX of every GPU kernel the engine can launch to a folder (default: artifacts/ptx), for the assembler; needs no GPU
          micro    BenchmarkDotNet (its own options follow)
        options:
          --json            one JSON object per line
          --threads N       threads of the CPU backend (default: all)
          --seconds X       measuring time per figure (default: 0.6)
          --only TEXT       only figures whose name contains TEXT
          --charts FOLDER   scaling: writes one SVG picture per sweep
          --machine TEXT    scaling: what the pictures call this machine
          --width N         ffn: this width only (default: 256 512 768 1024 2048)
          --device NAME     suite: the device (default: best)
          --results FILE    suite: one JSON document with all figures
          --scale X         suite: share of the sizes that are meant for a large GPU (default: 1; 0.01 suits two CPU cores)
          --soak N          suite: N training steps at the end, with flat memory
        """;

    public Options(string[] args)
    {
        Command = args.Length > 0 ? args[0] : "";
        Rest = args.Length > 0 ? args[1..] : [];
        for (int i = 0; i < Rest.Length; i++)
        {
            string Next() => i + 1 < Rest.Length ? Rest[++i] : throw new ArgumentException($"{Rest[i]} needs a value");
            switch (Rest[i])
            {
                case "--json": Json = true; break;
                case "--threads": Threads = int.Parse(Next(), CultureInfo.InvariantCulture); break;
                case "--seconds": Seconds = double.Parse(Next(), CultureInfo.InvariantCulture); break;
                case "--only": Only = Next(); break;
                case "--charts": Charts = Next(); break;
                case "--machine": Machine = Next(); break;
                case "--device": Device = Next(); break;
                case "--results": Results = Next(); break;
                case "--scale": Scale = Positive(Next()); break;
                case "--soak": Soak = int.Parse(Next(), CultureInfo.InvariantCulture); break;
                case "--width": Width = int.Parse(Next(), CultureInfo.InvariantCulture); break;
            }
        }
    }

    public string Command { get; }
    public string[] Rest { get; }
    public bool Json { get; }
    public int Threads { get; } = Environment.ProcessorCount;
    public double Seconds { get; } = 0.6;
    public string Only { get; } = "";
    public int Width { get; }
    public string Device { get; } = "best";
    public string? Results { get; }
    public double Scale { get; } = 1;
    public int Soak { get; }
    public string Charts { get; } = "";

    public string Machine { get; } =
        $"{Environment.ProcessorCount} cores, {(Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128)}-bit vectors";

    private static double Positive(string text)
        => double.Parse(text, CultureInfo.InvariantCulture) is > 0 and <= 1 and var value
            ? value
            : throw new ArgumentException($"--scale must be above 0 and at most 1, not {text}");

    public bool Wants(string name) => name.Contains(Only, StringComparison.OrdinalIgnoreCase);
}
