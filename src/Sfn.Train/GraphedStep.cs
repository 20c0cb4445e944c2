using System.Runtime.InteropServices;
using Sfn.Autograd;
using Sfn.Backends;
using Sfn.Nn;

namespace Sfn.Train;

/// <summary>
/// One optimizer step of a transformer as device work: forward and backward of all micro-batches, clipping, update. Nothing in it waits for the device, and
/// everything that varies lies in device memory (ids, dropout seeds, learning rate, bias corrections), so that a device with <see cref="IGraphCapture"/>
/// records it once and replays it: two uploads and one call per step.
/// </summary>
/// <remarks>
/// The first two steps run call by call; they compile kernels and find the memory that a step needs. On devices that cannot capture all steps do. While a
/// step is captured, the set of parameters that take part must not change (<see cref="Parameter.Frozen"/>); gradients exist inside of the step only.
/// </remarks>
public sealed class GraphedStep : IDisposable
{
    private const int WarmUp = 2;
    // In elements of four bytes: parts of the upload begin where a kernel may read them with wide loads.
    private const int Alignment = 64;
    private readonly Transformer _model;
    private readonly Optimizer _optimizer;
    private readonly float _clip;
    private readonly int _ids, _part;
    private readonly int[] _staging;
    private readonly Tensor _inputs, _share, _loss;
    private readonly (Tensor Tokens, Tensor Targets, DropoutSeed Seed)[] _parts;
    private readonly IGraphCapture? _capture;
    private IReplayable? _graph;
    private int _steps;

    /// <summary>Takes memory for the batches of a step.</summary>
    /// <param name="model">The model.</param>
    /// <param name="optimizer">The optimizer of its parameters.</param>
    /// <param name="batch">Sequences per micro-batch.</param>
    /// <param name="context">Tokens per sequence.</param>
    /// <param name="accumulate">Micro-batches per step.</param>
    /// <param name="clip">Largest norm of the gradients; 0: no clipping.</param>
    public GraphedStep(Transformer model, Optimizer optimizer, int batch, int context, int accumulate = 1, float clip = 0)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(context, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(accumulate, 1);
        (_model, _optimizer, _clip) = (model, optimizer, clip);
        _ids = checked(batch * context);
        int padded = (_ids + Alignment - 1) / Alignment * Alignment;
        _part = checked(2 * padded + Alignment);
        _staging = new int[checked(accumulate * _part)];
        _capture = model.Device.Backend as IGraphCapture;
        _inputs = Tensor.Zeros([_staging.Length], DType.I32, model.Device).Keep();
        _share = Tensor.Full([], 1.0 / accumulate, DType.F32, model.Device).Keep();
        _loss = Tensor.Zeros([], DType.F32, model.Device).Keep();
        _parts = new (Tensor, Tensor, DropoutSeed)[accumulate];
        for (int i = 0; i < accumulate; i++)
        {
            int at = i * _part;
            Shape shape = [batch, context];
            _parts[i] = (Part(at, shape), Part(at + padded, shape), new DropoutSeed(Part(at + 2 * padded, [2])));
        }
    }

    /// <summary>The last step's mean loss, nats per token, as one float32 on the device; the next step overwrites it. Reading it waits for the step.</summary>
    public Tensor Loss => _loss;

    /// <summary>The norm of the last step's gradients before clipping, likewise.</summary>
    public Tensor Norm => _optimizer.Norm;

    /// <summary>Whether steps are replayed.</summary>
    public bool IsCaptured => _graph is not null;

    /// <summary>Why steps are not replayed although the device could, for example an op that needs the host; null if nothing went wrong.</summary>
    public string? CaptureProblem { get; private set; }

    /// <summary>Makes one step. The host does not wait for it.</summary>
    /// <param name="tokens">Ids of all micro-batches, [accumulate, batch, context] row-major.</param>
    /// <param name="targets">The id after each of them; −100 does not count.</param>
    /// <param name="learningRate">The rate of this step.</param>
    /// <param name="dropoutSeed">Seed of the first micro-batch's dropout; the others have the numbers after it.</param>
    public void Run(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, float learningRate, ulong dropoutSeed = 0)
    {
        if (tokens.Length != _parts.Length * _ids || targets.Length != tokens.Length)
            throw new ShapeMismatch($"A step takes {_parts.Length * _ids} tokens and as many targets, not {tokens.Length} and {targets.Length}.");
        Upload(tokens, targets, dropoutSeed);
        if (_graph is null && _capture is not null && CaptureProblem is null && _steps >= WarmUp) Capture(learningRate);
        if (_graph is not null)
        {
            _optimizer.Advance(learningRate);
            _graph.Replay();
            _optimizer.Finish();
        }
        else
        {
            try
            {
                Differentiate();
                _optimizer.Step(learningRate);
            }
            catch
            {
                _optimizer.ClearGradients();
                throw;
            }
        }
        _steps++;
    }

    /// <summary>Forgets the recorded step; the next ones run call by call again. Its memory goes back to the device's cache.</summary>
    public void Dispose()
    {
        _graph?.Dispose();
        _graph = null;
        _steps = 0;
    }

    private void Upload(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, ulong dropoutSeed)
    {
        int padded = (_part - Alignment) / 2;
        for (int i = 0; i < _parts.Length; i++)
        {
            var part = _staging.AsSpan(i * _part, _part);
            tokens.Slice(i * _ids, _ids).CopyTo(part);
            targets.Slice(i * _ids, _ids).CopyTo(part[padded..]);
            ulong seed = dropoutSeed + (ulong)i;
            (part[2 * padded], part[2 * padded + 1]) = ((int)seed, (int)(seed >> 32));
        }
        _inputs.Backend.Upload(MemoryMarshal.AsBytes(_staging.AsSpan()), _inputs.View);
        _inputs.StorageOf.Version++;
    }

    // Loss and gradients of all micro-batches, which add up to those of one large batch, and the norm.
    private void Differentiate()
    {
        var seed = _model.DropoutSeed;
        try
        {
            for (int i = 0; i < _parts.Length; i++)
            {
                _model.DropoutSeed = _parts[i].Seed;
                using var tape = new Tape();
                var loss = _model.Loss(_parts[i].Tokens, _parts[i].Targets);
                var share = loss.Detach() * _share;
                if (i == 0) _loss.Backend.Copy(share.View, _loss.View);
                else _loss.Backend.AddTo(share.View, _loss.View);
                tape.Backward(loss, _share);
            }
        }
        finally
        {
            _model.DropoutSeed = seed;
        }
        _optimizer.ClipNorm(_clip);
    }

    private void Capture(float learningRate)
    {
        // The settings are in place before the recording begins; so is the memory of the steps before, which the recording takes for itself.
        _optimizer.Advance(learningRate);
        Memory.Trim(_model.Device);
        try
        {
            _graph = _capture!.Capture(() =>
            {
                Differentiate();
                _optimizer.RequirePlan();
                _optimizer.Apply();
            });
        }
        catch (CaptureError error)
        {
            CaptureProblem = error.Message;
        }
        finally
        {
            _optimizer.ClearGradients();
        }
    }

    private Tensor Part(int at, Shape shape)
    {
        _inputs.View.Narrow(0, at, checked((int)shape.Count)).TryReshape(shape, out var view);
        return new Tensor(view).Keep();
    }
}
