using System.Globalization;
using System.Text;

namespace Sfn.Train;

/// <summary>Reads the identifiers of .NET XML documentation, such as "M:System.String.Copy(System.String)" (ECMA-334, annex D.4.2).</summary>
internal static class MemberName
{
    /// <summary>A readable first line: "method System.String.Copy(String str)".</summary>
    public static string Header(string id, IReadOnlyList<string> parameters, IReadOnlyList<string> typeParameters)
    {
        string kind = id[0] switch
        {
            'T' => "class/struct",
            'M' => "method",
            'P' => "property",
            'F' => "field",
            'E' => "event",
            'N' => "namespace",
            _ => "member",
        };
        var (path, arguments) = Split(id[2..]);
        // Conversions carry their result: op_Implicit(System.Int32)~System.Decimal.
        int tilde = arguments.IndexOf('~');
        string result = tilde < 0 ? "" : " to " + ShortType(arguments[(tilde + 1)..]);
        if (tilde >= 0) arguments = arguments[..tilde];
        string owner = DeclaringType(id);
        string member = id[0] == 'T' ? "" : path[Math.Min(path.Length, owner.Length + 1)..];
        var header = new StringBuilder();
        if (member.StartsWith("#ctor", StringComparison.Ordinal) || member.StartsWith("#cctor", StringComparison.Ordinal))
        {
            header.Append("constructor ").Append(Generics(owner, []));
        }
        else if (member.StartsWith("op_", StringComparison.Ordinal)) header.Append("operator ").Append(Generics(owner, [])).Append('.').Append(member[3..]);
        else
        {
            header.Append(kind).Append(' ').Append(Generics(id[0] == 'T' ? path : owner, id[0] == 'T' ? typeParameters : []));
            if (member.Length > 0) header.Append('.').Append(Generics(member.Replace('#', '.'), typeParameters));
        }
        if (arguments.Length > 0)
        {
            var types = Arguments(arguments);
            char close = id[0] == 'P' ? ']' : ')';
            header.Append(id[0] == 'P' ? '[' : '(');
            for (int i = 0; i < types.Count; i++)
            {
                if (i > 0) header.Append(", ");
                header.Append(Bind(ShortType(types[i]), typeParameters));
                // Some members document parameters of another overload too: names are given only where the numbers agree.
                if (parameters.Count == types.Count && parameters[i].Length > 0) header.Append(' ').Append(parameters[i]);
            }
            header.Append(close);
        }
        else if (id[0] == 'M') header.Append("()");
        return header.Append(result).ToString();
    }

    /// <summary>The last part of a reference: "M:System.String.Copy(System.String)" gives "Copy", "T:System.Span`1" gives "Span".</summary>
    public static string Short(string id)
    {
        string path = Split(id.Length > 1 && id[1] == ':' ? id[2..] : id).Path;
        string last = path[(path.LastIndexOf('.') + 1)..];
        if (last is "#ctor" or "#cctor") last = path[..^(last.Length + 1)] is var owner ? owner[(owner.LastIndexOf('.') + 1)..] : last;
        return WithoutArity(last.Replace('#', '.'));
    }

    /// <summary>The type a member belongs to ("System.String"), or the type itself, or the namespace itself.</summary>
    public static string DeclaringType(string id)
    {
        string path = Split(id[2..]).Path;
        if (id[0] is 'T' or 'N') return path;
        int dot = path.LastIndexOf('.');
        return dot < 0 ? path : path[..dot];
    }

    /// <summary>Takes "`1" and "``2" out of a name.</summary>
    public static string WithoutArity(string name)
    {
        int tick = name.IndexOf('`');
        if (tick < 0) return name;
        var result = new StringBuilder(name.Length);
        for (int i = 0; i < name.Length; i++)
        {
            if (name[i] == '`') while (i + 1 < name.Length && (name[i + 1] == '`' || char.IsAsciiDigit(name[i + 1]))) i++;
            else result.Append(name[i]);
        }
        return result.ToString();
    }

    private static (string Path, string Arguments) Split(string id)
    {
        int open = id.IndexOf('(');
        if (open < 0)
        {
            int tilde = id.IndexOf('~');
            return tilde < 0 ? (id, "") : (id[..tilde], id[tilde..]);
        }
        int close = id.LastIndexOf(')');
        if (close < open) close = id.Length - 1;
        return (id[..open], id[(open + 1)..close] + id[Math.Min(close + 1, id.Length)..]);
    }

    private static List<string> Arguments(string arguments)
    {
        var parts = new List<string>();
        int depth = 0, start = 0;
        for (int i = 0; i <= arguments.Length; i++)
        {
            if (i < arguments.Length)
            {
                depth += arguments[i] is '{' or '[' or '(' ? 1 : arguments[i] is '}' or ']' or ')' ? -1 : 0;
                if (arguments[i] != ',' || depth != 0) continue;
            }
            parts.Add(arguments[start..i]);
            start = i + 1;
        }
        return parts;
    }

    // "System.Collections.Generic.IEnumerable{System.String[]}@" gives "ref IEnumerable<String[]>".
    private static string ShortType(string type)
    {
        var result = new StringBuilder();
        bool byReference = type.EndsWith('@');
        if (byReference) { result.Append("ref "); type = type[..^1]; }
        int start = 0;
        for (int i = 0; i <= type.Length; i++)
        {
            if (i < type.Length && type[i] is not ('{' or '}' or ',' or '[' or '*' or '@')) continue;
            string name = type[start..i];
            result.Append(name[(name.LastIndexOf('.') + 1)..]);
            start = i + 1;
            if (i == type.Length) break;
            if (type[i] == '[')
            {
                int end = type.IndexOf(']', i);
                if (end < 0) end = type.Length - 1;
                result.Append('[').Append(',', type[i..end].Count(c => c == ',')).Append(']');
                i = end;
                start = end + 1;
            }
            else result.Append(type[i] switch { '{' => "<", '}' => ">", ',' => ", ", '@' => "&", var c => c.ToString() });
        }
        return result.ToString();
    }

    // ``0 and `0 stand for type parameters by their number.
    private static string Bind(string type, IReadOnlyList<string> names)
    {
        if (!type.Contains('`')) return type;
        var result = new StringBuilder();
        for (int i = 0; i < type.Length; i++)
        {
            if (type[i] != '`') { result.Append(type[i]); continue; }
            bool method = i + 1 < type.Length && type[i + 1] == '`';
            i += method ? 2 : 1;
            int start = i;
            while (i < type.Length && char.IsAsciiDigit(type[i])) i++;
            int number = int.TryParse(type.AsSpan(start, i - start), NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : 0;
            i--;
            result.Append(method && number < names.Count ? names[number] : number == 0 ? "T" : $"T{number + 1}");
        }
        return result.ToString();
    }

    // "Dictionary`2.Enumerator" gives "Dictionary<T1, T2>.Enumerator"; the documented names are used for the last part when they fit.
    private static string Generics(string path, IReadOnlyList<string> names)
    {
        int tick = path.IndexOf('`');
        if (tick < 0) return path;
        var result = new StringBuilder();
        for (int i = 0; i < path.Length; i++)
        {
            if (path[i] != '`') { result.Append(path[i]); continue; }
            while (i + 1 < path.Length && path[i + 1] == '`') i++;
            int start = ++i;
            while (i < path.Length && char.IsAsciiDigit(path[i])) i++;
            int count = int.TryParse(path.AsSpan(start, i - start), NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? Math.Min(n, 16) : 0;
            i--;
            bool named = names.Count == count && i == path.Length - 1;
            result.Append('<').Append(string.Join(", ", Enumerable.Range(0, count).Select(k => named ? names[k] : count == 1 ? "T" : $"T{k + 1}"))).Append('>');
        }
        return result.ToString();
    }
}
