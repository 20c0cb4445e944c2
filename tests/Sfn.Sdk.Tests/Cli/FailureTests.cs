using System.Reflection;
using Sfn.Train;

namespace Sfn.Sdk.Tests.Cli;

/// <summary>Exit codes of failures that no command line brings about.</summary>
public sealed class FailureTests(SfnCommand sfn) : IClassFixture<SfnCommand>
{
    public static TheoryData<Exception, int, string> Failures => new()
    {
        { new DeviceLost("gpu:0 is lost"), 70, "error: gpu:0 is lost" },
        { new AggregateException(new DeviceLost("gpu:0 is lost")), 70, "error: gpu:0 is lost" },
        { new InvalidOperationException("a kernel failed", new DeviceLost("gpu:0 is lost")), 70, "error: gpu:0 is lost" },
        { new DeviceLost("the run ended", new DeviceLost("gpu:0 is lost")), 70, "error: the run ended" },
        { new OutOfDeviceMemory("a batch of 4 would fit", new OutOfDeviceMemory("no memory")), 2, "error: a batch of 4 would fit" },
        { new InvalidOperationException("a kernel failed", new OutOfDeviceMemory("no memory")), 2, "error: no memory" },
        { new InputError("bad"), 2, "error: bad" },
    };

    [Theory, MemberData(nameof(Failures))]
    public void Failures_have_their_exit_code_and_say_one_thing(Exception error, int code, string line)
    {
        var (actual, written) = Report(error);
        Assert.Equal(code, actual);
        Assert.StartsWith(line, written, StringComparison.Ordinal);
    }

    private (int Code, string Written) Report(Exception error)
    {
        string program = sfn.StartInfo([]).ArgumentList[0];
        var report = Assembly.LoadFrom(program).GetType("Sfn.Cli.Failure")!.GetMethod("Report", [typeof(Exception)])!;
        var console = Console.Error;
        using var writer = new StringWriter();
        Console.SetError(writer);
        try
        {
            return ((int)report.Invoke(null, [error])!, writer.ToString());
        }
        finally
        {
            Console.SetError(console);
        }
    }
}
