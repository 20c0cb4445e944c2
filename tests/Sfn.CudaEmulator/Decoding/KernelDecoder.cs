using Sfn.CudaEmulator.Text;

namespace Sfn.CudaEmulator.Decoding;

/// <summary>
/// Turns one entry function into a flat array of <see cref="Instr"/>. Registers, constants and special registers all become 8-byte slots of one
/// register file, so that an operand is nothing but an offset. Device functions are inlined, each call with registers of its own.
/// </summary>
internal sealed partial class KernelDecoder
{
    private const int MaxInlineDepth = 32;

    private readonly ModuleLayout _module;
    private readonly List<Instr> _code = [];
    private readonly List<int> _lines = [];
    private readonly List<int> _lists = [];
    private readonly List<Label> _targets = [];
    private readonly Stack<Label> _returns = new();
    private int _line;

    private KernelDecoder(ModuleLayout module) => _module = module;

    public static PtxKernel Decode(ModuleLayout module, Function entry)
    {
        var decoder = new KernelDecoder(module);
        try
        {
            return decoder.Entry(entry);
        }
        catch (PtxRejectedException e) when (e.Line == 0)
        {
            throw new PtxRejectedException(decoder._line, e.Message);
        }
    }

    private PtxKernel Entry(Function entry)
    {
        _line = entry.Line;
        OpenScope();
        int bytes = 0;
        var parameters = new List<KernelParameter>();
        foreach (var parameter in entry.Parameters)
        {
            bytes = Align(bytes, Math.Max(parameter.Alignment, 1));
            Add(parameter.Name, new Variable(Space.Param, bytes));
            parameters.Add(new KernelParameter(parameter.Name, bytes, parameter.Bytes));
            bytes += parameter.Bytes;
        }
        Body(entry);
        Emit(Op.Exit);
        CloseScope();
        LinkBranches();
        int dynamicShared = PlaceDynamicShared();
        return new PtxKernel(entry, [.. _code], [.. _lines], [.. _lists], Template(), [.. _specials], [.. parameters], bytes, dynamicShared, _localBytes);
    }

    private void Body(Function function)
    {
        if (function.Body is null) throw Reject($"'{function.Name}' is declared, but nowhere defined");
        var statements = function.Body;
        DeclareLabels(statements, 0);
        for (int n = 0; n < statements.Count; n++)
        {
            _line = statements[n].Line;
            switch (statements[n])
            {
                case Text.OpenScope:
                    OpenScope();
                    DeclareLabels(statements, n + 1);
                    break;
                case Text.CloseScope:
                    CloseScope();
                    break;
                case LabelStatement label:
                    ((Label)Find(label.Name)!).Target = _code.Count;
                    break;
                case Declaration declaration:
                    Declare(declaration);
                    break;
                case Instruction instruction:
                    Guarded(instruction);
                    break;
            }
        }
    }

    /// <summary>Labels are visible in the whole scope that they stand in, also before their place.</summary>
    private void DeclareLabels(List<Statement> statements, int from)
    {
        for (int n = from, depth = 0; n < statements.Count && depth >= 0; n++)
        {
            if (statements[n] is Text.OpenScope) depth++;
            else if (statements[n] is Text.CloseScope) depth--;
            else if (depth == 0 && statements[n] is LabelStatement label) Add(label.Name, new Label(label.Name));
        }
    }

    private void Guarded(Instruction instruction)
    {
        if (instruction.Guard is null)
        {
            Decode(instruction);
            return;
        }
        int guard = Source(new Operand(OperandKind.Name, instruction.Line) { Name = instruction.Guard }, PtxType.Pred);
        if (instruction.Opcode == "bra")
        {
            Jump(instruction.GuardNegated ? Op.BraIfNot : Op.BraIf, LabelOf(instruction), guard);
            return;
        }
        // Anything else is jumped over: unguarded instructions, nearly all, then need not look at a guard.
        var after = new Label("after");
        Jump(instruction.GuardNegated ? Op.BraIf : Op.BraIfNot, after, guard);
        Decode(instruction);
        after.Target = _code.Count;
    }

    private Label LabelOf(Instruction instruction)
    {
        string name = instruction.Operands is [{ Kind: OperandKind.Name } operand] ? operand.Name : throw Reject("a branch takes one label");
        return Find(name) as Label ?? throw Reject($"'{name}' is no label");
    }

    private void Decode(Instruction instruction)
    {
        var modifiers = new Modifiers(instruction);
        bool known = Control(instruction, modifiers) || Memory(instruction, modifiers) || Collective(instruction, modifiers) || Convert(instruction, modifiers)
            || Compare(instruction, modifiers) || Bits(instruction, modifiers) || Arithmetic(instruction, modifiers);
        if (!known) throw Reject($"unknown instruction '{instruction.FullName}'");
        modifiers.End();
    }

    private bool Control(Instruction instruction, Modifiers modifiers)
    {
        switch (instruction.Opcode)
        {
            case "bra":
                modifiers.Take("uni");
                Jump(Op.Bra, LabelOf(instruction), 0);
                return true;
            case "ret":
                modifiers.Take("uni");
                if (_returns.TryPeek(out var end)) Jump(Op.Bra, end, 0);
                else Emit(Op.Exit);
                return true;
            case "exit":
                Emit(Op.Exit);
                return true;
            case "trap":
                Emit(Op.Trap);
                return true;
            case "call":
                modifiers.Take("uni");
                Call(instruction);
                return true;
            // Threads of a block take turns on one processor, so memory is always in order. The others are hints.
            case "membar" or "fence" or "prefetch" or "prefetchu" or "nanosleep" or "discard" or "applypriority":
                while (!Ended(modifiers)) modifiers.TakeFirst();
                return true;
            case "createpolicy":
                while (!Ended(modifiers)) modifiers.TakeFirst();
                Emit(Op.Mov, Destination(instruction.Operands[0], PtxType.B64), Constant(0));
                return true;
            default:
                return false;
        }
    }

    private static bool Ended(Modifiers modifiers)
    {
        try
        {
            modifiers.End();
            return true;
        }
        catch (PtxRejectedException)
        {
            return false;
        }
    }

    private void Call(Instruction instruction)
    {
        var operands = new List<Operand>(instruction.Operands);
        Operand[] returns = operands[0].Kind == OperandKind.List ? Take(operands) : [];
        string name = operands[0].Name;
        operands.RemoveAt(0);
        Operand[] arguments = operands.Count > 0 && operands[0].Kind == OperandKind.List ? Take(operands) : [];
        if (!_module.Functions.TryGetValue(name, out var callee)) throw Reject($"'{name}' is no function of this module");
        if (callee.Parameters.Length != arguments.Length || callee.Returns.Length != returns.Length)
            throw Reject($"'{name}' takes {callee.Parameters.Length} arguments and returns {callee.Returns.Length} values, not {arguments.Length} and {returns.Length}");
        if (_returns.Count == MaxInlineDepth) throw Reject($"'{name}' calls itself, or calls nest deeper than {MaxInlineDepth}");

        var caller = SwapScopes();
        var formals = callee.Parameters.Concat(callee.Returns).ToArray();
        foreach (var formal in formals) Declare(formal);
        var inner = formals.Select(formal => Find(formal.Name)!).ToArray();
        var mine = SwapScopes(caller);
        for (int n = 0; n < arguments.Length; n++) Copy(inner[n], arguments[n], formals[n], intoFormal: true);
        SwapScopes(mine);

        var end = new Label("end of " + name);
        _returns.Push(end);
        Body(callee);
        _returns.Pop();
        end.Target = _code.Count;

        SwapScopes(caller);
        for (int n = 0; n < returns.Length; n++) Copy(inner[arguments.Length + n], returns[n], formals[arguments.Length + n], intoFormal: false);

        static Operand[] Take(List<Operand> operands)
        {
            var items = operands[0].Items;
            operands.RemoveAt(0);
            return [.. items];
        }
    }

    /// <summary>Between a variable of the caller and a formal parameter, both in registers or both in parameter space.</summary>
    private void Copy(Symbol formal, Operand actual, Declaration declaration, bool intoFormal)
    {
        if (formal is Register register)
        {
            if (intoFormal) Emit(Op.Mov, register.Slot, Source(actual, register.Type));
            else Emit(Op.Mov, Destination(actual, register.Type), register.Slot);
            return;
        }
        if (Find(actual.Name) is not Variable { Space: Space.Local } variable) throw Reject($"'{actual}' is no .param variable of the caller");
        int inside = (int)((Variable)formal).Offset, outside = (int)variable.Offset;
        _code.Add(new Instr { Op = Op.CopyLocal, D = intoFormal ? inside : outside, A = intoFormal ? outside : inside, Imm = declaration.Bytes });
        _lines.Add(_line);
    }

    private int Emit(Op op, int d = 0, int a = 0, int b = 0, int c = 0, long imm = 0, int flags = 0, Space space = Space.None)
    {
        _code.Add(new Instr { Op = op, D = d, A = a, B = b, C = c, Imm = imm, Flags = (byte)flags, Space = (byte)space });
        _lines.Add(_line);
        return d;
    }

    private void Jump(Op op, Label label, int predicate)
    {
        Emit(op, a: predicate, imm: _targets.Count);
        _targets.Add(label);
    }

    private void LinkBranches()
    {
        for (int n = 0; n < _code.Count; n++)
        {
            var instruction = _code[n];
            if (instruction.Op is not (Op.Bra or Op.BraIf or Op.BraIfNot)) continue;
            _code[n] = instruction with { Imm = _targets[(int)instruction.Imm].Target };
        }
    }

    /// <summary>Stores a list of numbers beside the code and gives its index.</summary>
    private int List(params ReadOnlySpan<int> items)
    {
        int index = _lists.Count;
        _lists.AddRange(items);
        return index;
    }

    private PtxRejectedException Reject(string message) => new(_line, message);

    private static int Align(int value, int alignment) => (value + alignment - 1) / alignment * alignment;
}
