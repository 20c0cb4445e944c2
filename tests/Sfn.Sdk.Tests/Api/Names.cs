namespace Sfn.Sdk.Tests.Api;

/// <summary>Type names as C# writes them: the project's own types with their namespace, everything else without.</summary>
internal static class Names
{
    private static readonly (Type Type, string Keyword)[] s_keywords =
    [
        (typeof(void), "void"), (typeof(object), "object"), (typeof(string), "string"), (typeof(bool), "bool"), (typeof(char), "char"),
        (typeof(sbyte), "sbyte"), (typeof(byte), "byte"), (typeof(short), "short"), (typeof(ushort), "ushort"), (typeof(int), "int"),
        (typeof(uint), "uint"), (typeof(long), "long"), (typeof(ulong), "ulong"), (typeof(nint), "nint"), (typeof(nuint), "nuint"),
        (typeof(float), "float"), (typeof(double), "double"), (typeof(decimal), "decimal"),
    ];

    public static string Of(Type type)
    {
        foreach (var (known, keyword) in s_keywords)
            if (type == known) return keyword;
        if (type.IsGenericParameter) return type.Name;
        if (type.IsByRef) return "ref " + Of(type.GetElementType()!);
        if (type.IsPointer) return Of(type.GetElementType()!) + "*";
        if (type.IsArray) return $"{Of(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]";
        if (Nullable.GetUnderlyingType(type) is { } value) return Of(value) + "?";
        if (type.IsFunctionPointer)
            return $"delegate*<{string.Join(", ", type.GetFunctionPointerParameterTypes().Append(type.GetFunctionPointerReturnType()).Select(Of))}>";

        // The arguments of a nested type begin with those of the types around it.
        var arguments = type.GetGenericArguments();
        int outer = type.DeclaringType?.GetGenericArguments().Length ?? 0;
        string own = arguments.Length == outer ? "" : $"<{string.Join(", ", arguments[outer..].Select(Of))}>";
        string name = type.Name.Split('`')[0] + own;
        if (type.DeclaringType is { } declaring)
            return Of(outer == 0 || type.IsGenericTypeDefinition ? declaring : declaring.MakeGenericType(arguments[..outer])) + "." + name;
        return type.Namespace is { } space && (space == "Sfn" || space.StartsWith("Sfn.", StringComparison.Ordinal)) ? $"{space}.{name}" : name;
    }
}
