using Sfn.CudaEmulator.Execution;
using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Decoding;

/// <summary>From the statements of a kernel to a list of <see cref="Instr"/>: names become slots, labels become positions.</summary>
internal sealed partial class KernelDecoder
{
    private readonly ModuleSyntax _module;
    private readonly Function _function;
    private readonly List<Instr> _code = [];
    private readonly List<(Instr Branch, Dictionary<string, int>[] Labels, string Name)> _branches = [];
    private int _line;

    private KernelDecoder(ModuleSyntax module, Function function) => (_module, _function) = (module, function);

    public static PtxKernel Decode(ModuleSyntax module, Function function)
    {
        var decoder = new KernelDecoder(module, function);
        try
        {
            return decoder.Decode();
        }
        catch (PtxRejectedException e) when (e.Line == 0)
        {
            throw new PtxRejectedException(decoder._line, e.Message);
        }
        catch (Exception e) when (e is IndexOutOfRangeException or ArgumentOutOfRangeException)
        {
            throw new PtxRejectedException(decoder._line, "an instruction has too few operands");
        }
    }

    private PtxKernel Decode()
    {
        _line = _function.Line;
        OpenScope();
        int bytes = 0;
        var parameters = new List<(int, int)>();
        foreach (var parameter in _function.Parameters)
        {
            bytes = Align(bytes, parameter.Alignment);
            Add(parameter.Name, new Symbol(Space.Param, (ulong)bytes));
            parameters.Add((bytes, parameter.Bytes));
            bytes += parameter.Bytes;
        }
        foreach (var variable in _module.Variables) Declare(variable);
        OpenScope();
        foreach (var statement in _function.Body!)
        {
            _line = statement.Line;
            switch (statement)
            {
                case Text.OpenScope: OpenScope(); break;
                case Text.CloseScope: CloseScope(); break;
                case Declaration declaration: Declare(declaration); break;
                case LabelStatement label:
                    if (!_labels.Peek().TryAdd(label.Name, _code.Count)) throw Reject($"label '{label.Name}' stands here twice");
                    break;
                case Instruction instruction: Add(instruction); break;
            }
        }
        CloseScope();
        _code.Add(new Instr { Line = _line, Name = "ret", Flow = Flow.Exit });
        foreach (var (branch, labels, name) in _branches)
        {
            var scope = labels.FirstOrDefault(scope => scope.ContainsKey(name)) ?? throw new PtxRejectedException(branch.Line, $"there is no label '{name}'");
            branch.Target = scope[name];
        }
        int sharedBytes = _constants.ContainsKey(DynamicShared) ? Align(_sharedBytes, _dynamicAlignment) : _sharedBytes;
        return new PtxKernel(_function.Name)
        {
            MaxThreads = _function.MaxThreads,
            Parameters = parameters,
            ParameterBytes = bytes,
            SharedBytes = sharedBytes,
            LocalBytes = Align(_localBytes, 16),
            Code = [.. _code],
            SlotCount = _slots,
            RegisterSlots = [.. _registers],
            Constants = [.. _constants.Select(pair => (pair.Value, pair.Key == DynamicShared ? (ulong)sharedBytes : pair.Key))],
            Specials = _specials,
        };
    }

    private void Add(Instruction instruction)
    {
        var decoded = Decode(instruction, new Modifiers(instruction));
        if (instruction.Guard is { } guard) (decoded.Guard, decoded.GuardNegated) = (Register(guard).Slot, instruction.GuardNegated);
        _code.Add(decoded);
    }

    private Instr Decode(Instruction instruction, Modifiers modifiers)
    {
        var result = new Instr { Line = instruction.Line, Name = instruction.FullName };
        bool known = Control(result, instruction, modifiers) || Memory(result, instruction, modifiers) || WarpWide(result, instruction, modifiers)
            || Moves(result, instruction, modifiers) || Arithmetic(result, instruction, modifiers);
        if (!known) throw modifiers.Unknown();
        modifiers.End();
        return result;
    }

    private bool Control(Instr result, Instruction instruction, Modifiers modifiers)
    {
        switch (instruction.Opcode)
        {
            case "bra":
                modifiers.Take("uni");
                result.Flow = Flow.Branch;
                _branches.Add((result, [.. _labels], instruction.Operands[0].Name));
                return true;
            case "ret" or "exit":
                modifiers.Take("uni");
                result.Flow = Flow.Exit;
                return true;
            case "trap":
                result.Run = Warp.Trap;
                return true;
            case "bar" or "barrier" when !modifiers.Has("warp"):
                modifiers.Take("cta");
                modifiers.Take("aligned");
                if (!modifiers.Take("sync") || instruction.Operands is not [{ Kind: OperandKind.Literal }]) return false;
                result.Flow = Flow.Barrier;
                return true;
            // Threads of a block take turns on one processor, so memory is always in order. The others are hints.
            case "membar" or "fence" or "prefetch" or "prefetchu" or "nanosleep":
                modifiers.Clear();
                return true;
            default:
                return false;
        }
    }

    private bool WarpWide(Instr result, Instruction instruction, Modifiers modifiers)
    {
        var operands = instruction.Operands;
        switch (instruction.FullName)
        {
            case "bar.warp.sync":
                modifiers.Clear();
                result.Run = WarpOps.Synchronize;
                result.A = Source(operands[0], PtxType.B32);
                return true;
            case "activemask.b32":
                modifiers.Clear();
                result.Run = WarpOps.ActiveMask;
                result.D = Destination(operands[0]);
                return true;
            case "shfl.sync.up.b32" or "shfl.sync.down.b32" or "shfl.sync.bfly.b32" or "shfl.sync.idx.b32":
                result.Immediate = Array.IndexOf(["up", "down", "bfly", "idx"], instruction.Modifiers[1]);
                modifiers.Clear();
                result.Run = WarpOps.Shuffle;
                bool pair = operands[0].Kind == OperandKind.Pair;
                result.D = Destination(pair ? operands[0].Items[0] : operands[0]);
                (result.A, result.B, result.C) = (Source(operands[1], PtxType.B32), Source(operands[2], PtxType.B32), Source(operands[3], PtxType.B32));
                result.Lists = [[pair ? Destination(operands[0].Items[1]) : -1, Source(operands[4], PtxType.B32)]];
                return true;
            case "vote.sync.all.pred" or "vote.sync.any.pred" or "vote.sync.uni.pred" or "vote.sync.ballot.b32":
                result.Immediate = Array.IndexOf(["all", "any", "uni", "ballot"], instruction.Modifiers[1]);
                modifiers.Clear();
                result.Run = WarpOps.Vote;
                (result.D, result.A, result.B) = (Destination(operands[0]), Source(operands[1], PtxType.Pred), Source(operands[2], PtxType.B32));
                return true;
            case "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32" or "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32":
                result.Type = modifiers.Has("bf16") ? PtxType.BF16 : PtxType.TF32;
                modifiers.Clear();
                result.Run = Matrices.Multiply;
                result.Lists = [.. operands.Select(operand => Slots(operand, PtxType.B32))];
                if (result.Lists is not [{ Length: 4 }, { Length: 4 }, { Length: 2 }, { Length: 4 }]) throw Reject("the fragments are of 4, 4, 2 and 4 registers");
                return true;
            case "ldmatrix.sync.aligned.m8n8.x1.shared.b16" or "ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16"
                or "ldmatrix.sync.aligned.m8n8.x2.shared.b16" or "ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16"
                or "ldmatrix.sync.aligned.m8n8.x4.shared.b16" or "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16":
                result.B = modifiers.Has("trans") ? 1 : 0;
                result.Lists = [Slots(operands[0], PtxType.B32)];
                if (!modifiers.Has($"x{result.Lists[0].Length}")) throw Reject("one register per matrix");
                modifiers.Clear();
                result.Run = Matrices.Load;
                result.Space = Space.Shared;
                Address(result, operands[1]);
                return true;
            default:
                return false;
        }
    }

    private PtxRejectedException Reject(string message) => new(_line, message);

    private static int Align(int value, int alignment) => (value + Math.Max(1, alignment) - 1) / Math.Max(1, alignment) * Math.Max(1, alignment);
}
