using System.CommandLine;
using System.CommandLine.Help;
using Sfn.Backends.Ilgpu;
using Sfn.Cli.CommandLine;
using Sfn.Cli.Commands;

namespace Sfn.Cli;

/// <summary>The sfn command.</summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        if (OperatingSystem.IsWindows()) Console.OutputEncoding = System.Text.Encoding.UTF8;
        try
        {
            return Run(args);
        }
        catch (Exception error)
        {
            return Failure.Report(error);
        }
    }

    private static int Run(string[] args)
    {
        IlgpuDevices.Register();
        var root = new RootCommand("Trains transformers with structured feedforward layers, in pure .NET.")
        {
            TrainCommand.Create(),
            GenerateCommand.Create(),
            EvalCommand.Create(),
            InfoCommand.Create(),
            DevicesCommand.Create(),
        };
        var help = new HelpPage();
        foreach (var option in root.Options.OfType<HelpOption>()) option.Action = help;
        root.SetAction(help.Invoke);
        // "@name" is text like any other here (a prompt may begin with it), and -abc is not three options.
        var parse = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        if (parse.Errors.Count > 0 && parse.Action != help)
        {
            Failure.Report(ParseErrors.Describe(parse));
            return Failure.BadInput;
        }
        // Exceptions and signals are handled here and in the commands, not by the library.
        return parse.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
    }
}
