using System.CommandLine;
using Sfn.Cli.CommandLine;
using Sfn.Cli.Display;
using Spectre.Console;

namespace Sfn.Cli.Commands;

/// <summary><c>sfn devices</c>: where tensors can live.</summary>
internal static class DevicesCommand
{
    public static Command Create()
    {
        var command = new HelpfulCommand("devices", "The devices of this machine.");
        command.SetAction(_ =>
        {
            var table = new Table().Border(TableBorder.Simple).AddColumn("device").AddColumn("kernels").AddColumn("hardware")
                .AddColumn(new TableColumn("memory").RightAligned());
            var best = Device.Best;
            foreach (var device in Device.All)
            {
                // The reference loops define what ops mean; nobody trains on them.
                if (device == Device.Reference) continue;
                bool cpu = device == Device.Cpu;
                table.AddRow(Markup.Escape(device == best ? $"{device.Name} (default)" : device.Name), Markup.Escape(device.Description),
                    Markup.Escape(cpu ? Machine.Processor : ""), cpu ? Memory.Format(Machine.MemoryBytes) : "");
            }
            Terminal.Out.Write(table);
            return 0;
        });
        return command;
    }
}
