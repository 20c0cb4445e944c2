using System.Runtime.InteropServices;
using ILGPU.Runtime.Cuda;

namespace Sfn.Backends.Ilgpu.Cuda;

/// <summary>A recorded piece of a stream's work, as the driver keeps it. ILGPU 1.5.3 knows no graphs; its launches are plain ones, which streams record.</summary>
internal sealed partial class CudaGraph : IDisposable
{
    // In this mode the driver allows memory to be asked for while a stream records.
    private const int Relaxed = 2;
    private nint _graph, _executable;

    private CudaGraph(nint graph, nint executable) => (_graph, _executable) = (graph, executable);

    /// <summary>From here on the stream records instead of executing.</summary>
    public static void Begin(nint stream) => Check(BeginCapture(stream, Relaxed), "record a stream");

    /// <summary>Ends the recording and makes it executable.</summary>
    public static CudaGraph End(nint stream)
    {
        Check(EndCapture(stream, out nint graph), "end a recording");
        int status = Instantiate(out nint executable, graph, 0);
        if (status != 0) _ = DestroyGraph(graph);
        Check(status, "make a graph executable");
        return new CudaGraph(graph, executable);
    }

    /// <summary>Ends a recording that has failed and forgets it.</summary>
    public static void Abandon(nint stream)
    {
        if (EndCapture(stream, out nint graph) == 0 && graph != 0) _ = DestroyGraph(graph);
    }

    /// <summary>Queues the recorded work.</summary>
    public void Launch(nint stream) => Check(Launch(_executable, stream), "launch a graph");

    public void Dispose()
    {
        if (_executable == 0) return;
        _ = DestroyExecutable(_executable);
        _ = DestroyGraph(_graph);
        (_graph, _executable) = (0, 0);
    }

    private static void Check(int status, string what)
    {
        if (status != 0) throw new CudaException($"The driver could not {what}: {(CudaError)status}.");
    }

    [LibraryImport("cuda", EntryPoint = "cuStreamBeginCapture_v2")]
    private static partial int BeginCapture(nint stream, int mode);

    [LibraryImport("cuda", EntryPoint = "cuStreamEndCapture")]
    private static partial int EndCapture(nint stream, out nint graph);

    [LibraryImport("cuda", EntryPoint = "cuGraphInstantiateWithFlags")]
    private static partial int Instantiate(out nint executable, nint graph, ulong flags);

    [LibraryImport("cuda", EntryPoint = "cuGraphLaunch")]
    private static partial int Launch(nint executable, nint stream);

    [LibraryImport("cuda", EntryPoint = "cuGraphExecDestroy")]
    private static partial int DestroyExecutable(nint executable);

    [LibraryImport("cuda", EntryPoint = "cuGraphDestroy")]
    private static partial int DestroyGraph(nint graph);
}
