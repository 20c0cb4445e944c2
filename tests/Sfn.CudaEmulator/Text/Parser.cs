namespace Sfn.CudaEmulator.Text;

/// <summary>From tokens to a module: directives, functions, statements. Names are looked up later.</summary>
internal sealed class Parser
{
    private static readonly HashSet<string> s_linkage = [".visible", ".extern", ".weak", ".common"];

    private readonly List<Token> _tokens;
    private readonly ModuleSyntax _module = new();
    private int _at;

    private Parser(List<Token> tokens) => _tokens = tokens;

    public static ModuleSyntax Parse(string text)
    {
        var parser = new Parser(Lexer.Cut(text));
        parser.Module();
        return parser._module;
    }

    private Token Current => _tokens[_at];

    private Token Take() => _tokens[_at++];

    private bool TryTake(char mark)
    {
        if (!Current.Is(mark)) return false;
        _at++;
        return true;
    }

    private bool TryTake(string word)
    {
        if (!Current.IsWord(word)) return false;
        _at++;
        return true;
    }

    private void Expect(char mark)
    {
        if (!TryTake(mark)) throw Unexpected($"'{mark}'");
    }

    private string Word(string what) => Current.Kind == TokenKind.Word ? Take().Value : throw Unexpected(what);

    private int Int(string what) => Current.Kind == TokenKind.Number ? checked((int)Literal.Parse(Current.Value, false, Take().Line).Bits) : throw Unexpected(what);

    private PtxRejectedException Unexpected(string expected) => new(Current.Line, $"expected {expected}, found '{Current.Value}'");

    private void Module()
    {
        while (Current.Kind != TokenKind.End)
        {
            if (TryTake(".version"))
            {
                _module.Version = Take().Value;
            }
            else if (TryTake(".target"))
            {
                _module.Target = Word("a target");
                while (TryTake(',')) Word("a target");
            }
            else if (TryTake(".address_size"))
            {
                if (Int("the size of addresses") != 64) throw new PtxRejectedException(Current.Line, "only 64-bit addresses are supported");
            }
            else if (Current.IsWord(".file") || Current.IsWord(".pragma"))
            {
                SkipLine();
            }
            else
            {
                Definition();
            }
        }
        if (_module.Version == "" || _module.Target == "") throw new PtxRejectedException(1, "a module begins with .version and .target");
    }

    private void Definition()
    {
        while (Current.Kind == TokenKind.Word && s_linkage.Contains(Current.Value)) _at++;
        if (TryTake(".entry")) Function(isEntry: true);
        else if (TryTake(".func")) Function(isEntry: false);
        else if (Current.Value is ".global" or ".shared" or ".const") Variables(_module.Variables.Add);
        else throw Unexpected("a directive");
    }

    private void Function(bool isEntry)
    {
        int line = Current.Line;
        Declaration[] returns = !isEntry && Current.Is('(') ? Parameters() : [];
        string name = Word("a name");
        var function = new Function(name, isEntry, returns, Current.Is('(') ? Parameters() : [], line);
        while (!Current.Is('{') && !Current.Is(';')) Tuning(function);
        if (!TryTake(';')) function.Body = Body();
        if (!_module.Functions.TryGetValue(name, out var known) || known.Body is null) _module.Functions[name] = function;
        else if (function.Body is not null) throw new PtxRejectedException(line, $"'{name}' is defined twice");
    }

    private void Tuning(Function function)
    {
        string directive = Word("a directive or a body");
        if (directive == ".noreturn") return;
        if (directive == ".pragma")
        {
            while (!TryTake(';')) _at++;
            return;
        }
        if (directive is not (".maxntid" or ".reqntid" or ".minnctapersm" or ".maxnctapersm" or ".maxnreg"))
            throw new PtxRejectedException(Current.Line, $"unknown directive '{directive}'");
        var values = new List<int> { Int("a number") };
        while (TryTake(',')) values.Add(Int("a number"));
        if (directive is ".maxntid" or ".reqntid") function.MaxThreads = values.Aggregate(1, (product, value) => product * value);
        if (directive == ".reqntid") function.RequiredThreads = [.. values];
    }

    private Declaration[] Parameters()
    {
        var list = new List<Declaration>();
        Expect('(');
        while (!TryTake(')'))
        {
            if (list.Count > 0) Expect(',');
            list.Add(One(SpaceOf(Word("a state space")), out _));
        }
        return [.. list];
    }

    private static Space SpaceOf(string word) => word switch
    {
        ".reg" => Space.Register,
        ".param" => Space.Param,
        ".global" => Space.Global,
        ".shared" => Space.Shared,
        ".local" => Space.Local,
        ".const" => Space.Const,
        _ => Space.None,
    };

    /// <summary>A whole declaration statement, which may declare several names.</summary>
    private void Variables(Action<Declaration> add)
    {
        var space = SpaceOf(Take().Value);
        var first = One(space, out int width);
        add(first);
        while (TryTake(',')) add(Declarator(space, first.Type, first.Alignment, width));
        Expect(';');
    }

    private Declaration One(Space space, out int width)
    {
        if (space == Space.None) throw Unexpected("a state space");
        int alignment = 0;
        width = 1;
        while (Current.Kind == TokenKind.Word && Current.Value.StartsWith('.'))
        {
            string word = Take().Value[1..];
            if (word == "align") alignment = Int("an alignment");
            else if (word is "v2" or "v4") width = word[1] - '0';
            else if (PtxTypes.TryParse(word, out var type)) return Declarator(space, type, Math.Max(alignment, type.Size() * width), width);
            else throw new PtxRejectedException(Current.Line, $"'.{word}' is no type");
        }
        throw Unexpected("a type");
    }

    private Declaration Declarator(Space space, PtxType type, int alignment, int width)
    {
        // A pointer parameter may say what it points to; nothing here depends on it.
        while (Current.Value is ".ptr" or ".global" or ".shared" or ".const" or ".local") _at++;
        if (TryTake(".align")) Int("an alignment");
        int line = Current.Line;
        string name = Word("a name");
        if (TryTake('<'))
        {
            int registers = Int("a count");
            Expect('>');
            return new Declaration(space, type, name, alignment, registers, true, [], line);
        }
        int count = width;
        while (TryTake('['))
        {
            if (TryTake(']'))
            {
                count = -1;
                continue;
            }
            count *= Int("a size");
            Expect(']');
        }
        return new Declaration(space, type, name, alignment, count, false, TryTake('=') ? Initializer() : [], line);
    }

    private Literal[] Initializer()
    {
        var values = new List<Literal>();
        if (!TryTake('{')) return [Number()];
        while (!TryTake('}'))
        {
            if (Current.Is('{')) values.AddRange(Initializer());
            else values.Add(Number());
            TryTake(',');
        }
        return [.. values];
    }

    private Literal Number()
    {
        bool negative = TryTake('-');
        if (Current.Kind != TokenKind.Number) throw Unexpected("a number");
        var token = Take();
        return Literal.Parse(token.Value, negative, token.Line);
    }

    private List<Statement> Body()
    {
        var body = new List<Statement>();
        Expect('{');
        for (int depth = 1; ;)
        {
            var token = Current;
            if (TryTake('{'))
            {
                depth++;
                body.Add(new OpenScope(token.Line));
            }
            else if (TryTake('}'))
            {
                if (--depth == 0) return body;
                body.Add(new CloseScope(token.Line));
            }
            else if (token.Kind == TokenKind.Word && _tokens[_at + 1].Is(':'))
            {
                _at += 2;
                body.Add(new LabelStatement(token.Value, token.Line));
            }
            else if (token.Value is ".loc" or ".file" or ".pragma")
            {
                SkipLine();
            }
            else if (token.Kind == TokenKind.Word && SpaceOf(token.Value) != Space.None)
            {
                Variables(body.Add);
            }
            else if (!TryTake(';'))
            {
                body.Add(Instruction());
            }
        }
    }

    private Instruction Instruction()
    {
        string? guard = null;
        bool negated = false;
        if (TryTake('@'))
        {
            negated = TryTake('!');
            guard = Word("a predicate");
        }
        int line = Current.Line;
        string[] parts = Word("an instruction").Split('.');
        var operands = new List<Operand>();
        while (!TryTake(';'))
        {
            if (operands.Count > 0) Expect(',');
            operands.Add(Operand());
        }
        return new Instruction(parts[0], parts[1..], [.. operands], guard, negated, line);
    }

    private Operand Operand()
    {
        int line = Current.Line;
        if (TryTake('{')) return new Operand(OperandKind.Vector, line) { Items = Items('}') };
        if (TryTake('(')) return new Operand(OperandKind.List, line) { Items = Items(')') };
        if (TryTake('[')) return Address(line);
        if (Current.Kind == TokenKind.Number || Current.Is('-')) return new Operand(OperandKind.Literal, line) { Literal = Number() };
        var name = new Operand(OperandKind.Name, line) { Name = Word("an operand") };
        if (TryTake('|')) return new Operand(OperandKind.Pair, line) { Items = [name, new Operand(OperandKind.Name, line) { Name = Word("a predicate") }] };
        return Current.Is('+') ? name with { Offset = Offset() } : name;
    }

    private List<Operand> Items(char close)
    {
        var items = new List<Operand>();
        while (!TryTake(close))
        {
            if (items.Count > 0) Expect(',');
            items.Add(Operand());
        }
        return items;
    }

    private Operand Address(int line)
    {
        string name = Current.Kind == TokenKind.Word ? Take().Value : "";
        long offset = Current.Is(']') ? 0 : Offset();
        Expect(']');
        return new Operand(OperandKind.Address, line) { Name = name, Offset = offset };
    }

    /// <summary>A sum of numbers, such as +32 or +-8.</summary>
    private long Offset()
    {
        long sum = 0;
        do
        {
            bool negative = !TryTake('+') && TryTake('-');
            long value = (long)Number().Bits;
            sum += negative ? -value : value;
        }
        while (Current.Is('+') || Current.Is('-'));
        return sum;
    }

    private void SkipLine()
    {
        int line = Current.Line;
        while (Current.Line == line && Current.Kind != TokenKind.End)
            if (Take().Is(';')) return;
    }
}
