namespace Sfn.Backends;

/// <summary>Optional: records device work once and replays it with one call, as CUDA graphs do, so that the host costs nothing per kernel.</summary>
/// <remarks>
/// <para>
/// <b>What is recorded.</b> The device calls that the work makes on the calling thread, with the addresses and numbers they were given; none of them is
/// executed. The work's host code runs once, now: what it decides is decided for all replays. Everything that varies must therefore come from device
/// memory: batches, learning rate, dropout seed.
/// </para>
/// <para>
/// <b>What is not allowed.</b> <see cref="IBackend.Upload"/>, <see cref="IBackend.Download"/> and <see cref="IBackend.Synchronize"/> inside the work throw
/// <see cref="CaptureError"/>; so do errors of ids, which replays report where the host waits next (<see cref="IDeviceChecks"/>). A capture inside a capture
/// is an error, too. An exception leaves nothing behind: the recording is dropped and its memory given back.
/// </para>
/// <para>
/// <b>Memory.</b> Between <see cref="CachingAllocator.BeginPrivate"/> and <see cref="CachingAllocator.EndPrivate"/>, which the backend calls around the work,
/// the calling thread's requests are served from a pool of the graph's own. Blocks freed inside are reused inside only; blocks still alive at the end
/// (results) keep their place; the pool lives until the graph is disposed, and other work never gets its memory. What was made before the capture and is
/// used inside must be kept alive as long as the graph, at the same address.
/// </para>
/// <para>
/// <b>Order.</b> A replay is queued like any other call: it sees what earlier calls have written, and later calls see what it has written.
/// </para>
/// </remarks>
public interface IGraphCapture
{
    /// <summary>Records <paramref name="work"/> without executing it.</summary>
    /// <exception cref="CaptureError">The work makes the host wait or brings new data from it.</exception>
    IReplayable Capture(Action work);
}

/// <summary>Recorded device work. Disposing it waits for its replays and gives its memory back.</summary>
public interface IReplayable : IDisposable
{
    /// <summary>Queues the work once; the host does not wait.</summary>
    void Replay();
}
