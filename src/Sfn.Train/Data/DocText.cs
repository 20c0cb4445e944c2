using System.Text;
using System.Xml;

namespace Sfn.Train;

/// <summary>Turns one member of a .NET XML documentation file into plain text.</summary>
internal static class DocText
{
    /// <summary>Reads the &lt;member&gt; element the reader stands on, up to its end, and returns the record, or null if it says nothing.</summary>
    public static (string Name, string Text)? Read(XmlReader reader)
    {
        string? name = reader.GetAttribute("name");
        var parameters = new List<(string Name, string Text)>();
        var typeParameters = new List<(string Name, string Text)>();
        var exceptions = new List<(string Name, string Text)>();
        string summary = "", returns = "", value = "", remarks = "";
        if (!reader.IsEmptyElement)
        {
            int depth = reader.Depth;
            reader.Read();
            while (reader.Depth > depth)
            {
                if (reader.NodeType != XmlNodeType.Element) { reader.Read(); continue; }
                string element = reader.LocalName;
                string attribute = reader.GetAttribute("name") ?? MemberName.Short(reader.GetAttribute("cref") ?? "");
                string text = Flatten(reader);
                switch (element)
                {
                    case "summary": summary = text; break;
                    case "returns": returns = text; break;
                    case "value": value = text; break;
                    case "remarks": remarks = text; break;
                    case "param": parameters.Add((attribute, text)); break;
                    case "typeparam": typeParameters.Add((attribute, text)); break;
                    case "exception": exceptions.Add((attribute, text)); break;
                    default: break;
                }
            }
        }
        if (name is null || name.Length < 3 || name[1] != ':') return null;
        var lines = new StringBuilder();
        Line(lines, "", summary);
        foreach (var (parameter, text) in typeParameters) Line(lines, parameter + ": ", text);
        foreach (var (parameter, text) in parameters) Line(lines, parameter + ": ", text);
        Line(lines, "Value: ", value);
        Line(lines, "Returns: ", returns);
        foreach (var (exception, text) in exceptions) Line(lines, "Throws " + exception + ": ", text);
        Line(lines, "Remarks: ", remarks);
        if (lines.Length == 0) return null;
        string header = MemberName.Header(name, [.. parameters.Select(p => p.Name)], [.. typeParameters.Select(p => p.Name)]);
        return (name, header + "\n" + lines.ToString(0, lines.Length - 1));
    }

    private static void Line(StringBuilder lines, string label, string text)
    {
        if (text.Length > 0) lines.Append(label).Append(text).Append('\n');
    }

    /// <summary>The text inside the current element, references by short name, each run of white space as one space; the reader ends behind it.</summary>
    private static string Flatten(XmlReader reader)
    {
        var text = new StringBuilder();
        if (reader.IsEmptyElement) { reader.Read(); return ""; }
        int depth = reader.Depth;
        reader.Read();
        while (reader.Depth > depth)
        {
            switch (reader.NodeType)
            {
                case XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.SignificantWhitespace or XmlNodeType.Whitespace:
                    text.Append(reader.Value);
                    break;
                case XmlNodeType.Element:
                    if (reader.LocalName is "para" or "p" or "br" or "item" or "term" or "description" or "listheader" or "li") text.Append(' ');
                    // <see>, <paramref> and their kin name something; when they also hold text, the text is what a reader sees.
                    if (reader.IsEmptyElement) text.Append(Reference(reader));
                    break;
                case XmlNodeType.EndElement:
                    if (reader.LocalName is "para" or "p" or "item" or "description" or "li") text.Append(' ');
                    else if (reader.LocalName is "term") text.Append(": ");
                    break;
                default:
                    break;
            }
            reader.Read();
        }
        reader.Read();
        return Normalise(text);
    }

    private static string Reference(XmlReader reader) =>
        reader.GetAttribute("langword") ?? reader.GetAttribute("name") ??
        (reader.GetAttribute("cref") is { } cref ? MemberName.Short(cref) : reader.GetAttribute("href") ?? "");

    private static string Normalise(StringBuilder text)
    {
        var result = new StringBuilder(text.Length);
        bool space = false;
        foreach (var chunk in text.GetChunks())
        {
            foreach (char c in chunk.Span)
            {
                if (char.IsWhiteSpace(c) || char.IsControl(c) || c is '\u200b' or '\ufeff') { space = result.Length > 0; continue; }
                if (space) result.Append(' ');
                space = false;
                result.Append(c);
            }
        }
        return result.ToString();
    }
}
