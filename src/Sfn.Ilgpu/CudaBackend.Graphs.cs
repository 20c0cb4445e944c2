using global::ILGPU.Runtime.Cuda;
using Sfn.Backends.Ilgpu.Cuda;

namespace Sfn.Backends.Ilgpu;

/// <summary>Work recorded as a CUDA graph: a training step of hundreds of kernels becomes one call.</summary>
internal partial class CudaBackend : IGraphCapture
{
    private int _capturing;            // the thread that captures, 0 if none

    public IReplayable Capture(Action work)
    {
        ArgumentNullException.ThrowIfNull(work);
        nint stream = ((CudaStream)Stream).StreamPtr;
        var pool = Allocator.BeginPrivate();
        CudaGraph? graph = null;
        try
        {
            using (Launching()) CudaGraph.Begin(stream);
            _capturing = Environment.CurrentManagedThreadId;
            try
            {
                work();
            }
            catch
            {
                using (Launching()) CudaGraph.Abandon(stream);
                throw;
            }
            finally
            {
                _capturing = 0;
            }
            using (Launching()) graph = CudaGraph.End(stream);
        }
        finally
        {
            Allocator.EndPrivate();
            if (graph is null) pool.Dispose();
        }
        return new Replay(this, graph, pool);
    }

    private protected override void Refuse(string call)
    {
        if (_capturing == Environment.CurrentManagedThreadId) throw CaptureError.Of(call);
    }

    private sealed class Replay(CudaBackend backend, CudaGraph graph, PrivatePool pool) : IReplayable
    {
        private bool _disposed;

        void IReplayable.Replay()
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            using var _ = backend.Launching();
            graph.Launch(((CudaStream)backend.Stream).StreamPtr);
        }

        public void Dispose()
        {
            if (_disposed) return;
            _disposed = true;
            using (backend.Launching())
            {
                backend.Stream.Synchronize();
                graph.Dispose();
            }
            pool.Dispose();
        }
    }
}
