using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Sfn.Sdk.Tests.Architecture;

/// <summary>A C# file of the repository: its text and its syntax tree (nothing is bound, so rules see names, not symbols).</summary>
internal sealed class SourceFile(string path, string text)
{
    public string Path => path;
    public string Text => text;
    public SyntaxNode Root { get; } = CSharpSyntaxTree.ParseText(text, new CSharpParseOptions(LanguageVersion.CSharp14), path).GetRoot();
    public int Lines => text.AsSpan().TrimEnd().Count('\n') + 1;
    public string Place(SyntaxNode node) => $"{path}:{node.GetLocation().GetLineSpan().StartLinePosition.Line + 1}";
}

/// <summary>The design's rules over source text. Each gives the places that break it; comments and strings never do.</summary>
internal static class Rules
{
    private static readonly string[] s_finalizable = ["Storage", "CpuScratch"];

    private static readonly string[] s_dynamic = ["MakeGenericType", "MakeGenericMethod", "DynamicInvoke", "GetCustomAttribute", "GetCustomAttributes"];

    public static IEnumerable<string> Finalizers(SourceFile file) => file.Root.DescendantNodes().OfType<DestructorDeclarationSyntax>()
        .Where(finalizer => !s_finalizable.Contains(finalizer.Identifier.Text))
        .Select(finalizer => $"{file.Place(finalizer)} {finalizer.Identifier.Text} declares a finalizer");

    public static IEnumerable<string> Collects(SourceFile file) => file.Root.DescendantNodes().OfType<MemberAccessExpressionSyntax>()
        .Where(access => access.Name.Identifier.Text == "Collect" && access.Expression.ToString() is "GC" or "System.GC")
        .Select(access => $"{file.Place(access)} calls GC.Collect");

    public static IEnumerable<string> Names(SourceFile file, string identifier) => file.Root.DescendantNodes().OfType<SimpleNameSyntax>()
        .Where(name => name.Identifier.Text == identifier)
        .Select(name => $"{file.Place(name)} names {identifier}");

    /// <summary>
    /// The namespace, and calls that look members up by name or make types at run time: what trimming and Native AOT cannot follow. A lookup is
    /// told by its receiver, since others (JsonElement) have a GetProperty too.
    /// </summary>
    public static IEnumerable<string> Reflection(SourceFile file)
    {
        foreach (var node in file.Root.DescendantNodes())
        {
            bool named = node is QualifiedNameSyntax or MemberAccessExpressionSyntax && node.ToString() is "System.Reflection";
            if (named) yield return $"{file.Place(node)} names {node}";
            if (node is not MemberAccessExpressionSyntax { Name.Identifier.Text: var member, Expression: var receiver }) continue;
            bool lookup = member.StartsWith("Get", StringComparison.Ordinal)
                && (receiver is TypeOfExpressionSyntax || receiver.ToString().EndsWith("GetType()", StringComparison.Ordinal));
            bool creates = member == "CreateInstance" && receiver.ToString().EndsWith("Activator", StringComparison.Ordinal);
            if (lookup || creates || s_dynamic.Contains(member)) yield return $"{file.Place(node)} calls {member}";
        }
    }

    /// <summary>Decisions by a type parameter: typeof(T) compared, switched over or asked a question; naming it in a message is free.</summary>
    public static IEnumerable<string> TypeSwitches(SourceFile file)
    {
        foreach (var question in file.Root.DescendantNodes().OfType<TypeOfExpressionSyntax>())
        {
            if (question.Type is not IdentifierNameSyntax { Identifier.Text: var name } || !IsTypeParameter(question, name)) continue;
            SyntaxNode? user = question.Parent;
            while (user is ParenthesizedExpressionSyntax) user = user.Parent;
            bool decides = user is BinaryExpressionSyntax or IsPatternExpressionSyntax or SwitchStatementSyntax or SwitchExpressionSyntax
                or MemberAccessExpressionSyntax { Name.Identifier.Text: not ("Name" or "FullName") };
            if (decides) yield return $"{file.Place(question)} decides by typeof({name})";
        }
    }

    private static bool IsTypeParameter(SyntaxNode node, string name) => node.Ancestors().Any(ancestor => ancestor switch
    {
        TypeDeclarationSyntax { TypeParameterList: { } list } => list.Parameters.Any(parameter => parameter.Identifier.Text == name),
        MethodDeclarationSyntax { TypeParameterList: { } list } => list.Parameters.Any(parameter => parameter.Identifier.Text == name),
        LocalFunctionStatementSyntax { TypeParameterList: { } list } => list.Parameters.Any(parameter => parameter.Identifier.Text == name),
        _ => false,
    });

    public static IEnumerable<string> TooLong(SourceFile file)
    {
        bool generated = file.Path.EndsWith(".g.cs", StringComparison.Ordinal);
        int most = System.IO.Path.GetFileName(file.Path) == "Tape.cs" ? 250 : 500;
        if (!generated && file.Lines > most) yield return $"{file.Path} has {file.Lines} lines, at most {most} are allowed";
    }
}
