using System.CommandLine;
using Sfn.Backends.Ilgpu;
using Sfn.Cli.CommandLine;
using Sfn.Cli.Display;
using Spectre.Console;

namespace Sfn.Cli.Commands;

/// <summary><c>sfn devices</c>: where tensors can live, and why a device that a driver lists cannot be used.</summary>
internal static class DevicesCommand
{
    public static Command Create()
    {
        var command = new HelpfulCommand("devices", "The devices of this machine.");
        command.SetAction(_ =>
        {
            var table = new Table().Border(TableBorder.Simple).AddColumn("device").AddColumn("hardware").AddColumn("kernels").AddColumn("driver")
                .AddColumn(new TableColumn("memory").RightAligned());
            var best = Device.Best;
            string Name(Device device) => device == best ? $"{device.Name} (default)" : device.Name;
            table.AddRow(Cells(Name(Device.Cpu), Machine.Processor, Device.Cpu.Description, "", Memory.Format(Machine.MemoryBytes)));
            foreach (var found in IlgpuDevices.Found.Where(found => found.Obstacle is null))
            {
                table.AddRow(Cells(Name(Device.Get(found.Name)), found.Hardware, found.Capabilities, found.Driver, Memory.Format(found.MemoryBytes)));
            }
            table.AddRow(Cells("debug", Machine.Processor, "GPU kernels as .NET code, for breakpoints; slow", "", ""));
            Terminal.Out.Write(table);
            foreach (var found in IlgpuDevices.Found.Where(found => found.Obstacle is not null))
                Console.WriteLine($"not used: {found.Hardware} ({found.Driver}): {found.Obstacle}");
            if (IlgpuDevices.Found.Count == 0) Console.WriteLine("No GPU: neither a CUDA driver (libcuda) nor an OpenCL driver (libOpenCL) lists a device.");
            return 0;
        });
        return command;
    }

    private static string[] Cells(params string[] texts) => [.. texts.Select(Markup.Escape)];
}
