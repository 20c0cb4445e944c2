using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Sfn.Sdk.Tests.Api;

/// <summary>What a library offers to its users, as text: one line for each public type and each public or protected member.</summary>
/// <remarks>Left out: what the compiler adds to records, overrides (they offer nothing new), and nullable annotations of references.</remarks>
internal static class PublicSurface
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public static IReadOnlyList<string> Of(Assembly assembly)
    {
        var lines = new List<string>();
        foreach (var type in assembly.GetExportedTypes().Where(type => !IsGenerated(type)).OrderBy(Names.Of, StringComparer.Ordinal))
        {
            lines.Add($"{Names.Of(type)}: {Kind(type)}{Bases(type)}{Constraints(type.GetGenericArguments())}");
            lines.AddRange(Members(type).Select(member => $"{Names.Of(type)}.{member}").Order(StringComparer.Ordinal));
        }
        return lines;
    }

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsSubclassOf(typeof(Delegate)))
            return [Signature(type.GetMethod("Invoke")!)];
        if (type.IsEnum)
            return type.GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => $"{field.Name} = {field.GetRawConstantValue()}");
        return type.GetFields(Declared).Where(field => Visible(field.Attributes) && !IsGenerated(field)).Select(Field)
            .Concat(type.GetConstructors(Declared).Where(IsVisible).Select(constructor => $"new({Parameters(constructor)})"))
            .Concat(type.GetProperties(Declared).Where(HasVisibleAccessor).Select(Property))
            .Concat(type.GetEvents(Declared).Where(e => IsVisible(e.AddMethod!)).Select(e => $"{e.Name}: event {Names.Of(e.EventHandlerType!)}"))
            .Concat(type.GetMethods(Declared).Where(IsOwnMethod).Select(Signature));
    }

    private static bool HasVisibleAccessor(PropertyInfo property) =>
        property.Name != "EqualityContract" && property.GetAccessors(nonPublic: true).Any(accessor => IsVisible(accessor) && !IsOverride(accessor));

    private static bool IsOwnMethod(MethodInfo method) =>
        IsVisible(method) && !IsOverride(method) && !IsGenerated(method) && method.Name != "Finalize"
        && (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal));

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static bool Visible(FieldAttributes attributes) =>
        (attributes & FieldAttributes.FieldAccessMask) is FieldAttributes.Public or FieldAttributes.Family or FieldAttributes.FamORAssem;

    private static bool IsOverride(MethodInfo method) => method.GetBaseDefinition().DeclaringType != method.DeclaringType;

    private static bool IsGenerated(MemberInfo member) => member.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false) || member.Name.Contains('<');

    private static string Kind(Type type)
    {
        if (type.IsEnum) return $"enum {Names.Of(type.GetEnumUnderlyingType())}";
        if (type.IsSubclassOf(typeof(Delegate))) return "delegate";
        if (type.IsInterface) return "interface";
        if (type.IsValueType)
            return (type.IsDefined(typeof(IsReadOnlyAttribute), false) ? "readonly " : "") + (type.IsByRefLike ? "ref " : "") + "struct";
        return (type.IsAbstract && type.IsSealed ? "static " : type.IsAbstract ? "abstract " : type.IsSealed ? "sealed " : "") + "class";
    }

    private static string Bases(Type type)
    {
        if (type.IsEnum || type.IsSubclassOf(typeof(Delegate))) return "";
        var bases = type.BaseType is { } b && b != typeof(object) && b != typeof(ValueType) ? [Names.Of(b)] : Array.Empty<string>();
        string[] all = [.. bases, .. type.GetInterfaces().Where(i => i.IsVisible).Select(Names.Of).Order(StringComparer.Ordinal)];
        return all.Length == 0 ? "" : " " + string.Join(", ", all);
    }

    private static string Field(FieldInfo field)
    {
        string kind = field.IsLiteral ? "const " : (field.IsStatic ? "static " : "") + (field.IsInitOnly ? "readonly " : "");
        string value = field.IsLiteral ? $" = {Literal(field.GetRawConstantValue())}" : "";
        return $"{field.Name}: {kind}{Names.Of(field.FieldType)}{value}";
    }

    private static string Property(PropertyInfo property)
    {
        var getter = property.GetMethod is { } g && IsVisible(g) ? g : null;
        var setter = property.SetMethod is { } s && IsVisible(s) ? s : null;
        bool init = setter?.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) == true;
        string accessors = (getter is null ? "" : "get; ") + (setter is null ? "" : init ? "init; " : "set; ");
        string index = property.GetIndexParameters() is { Length: > 0 } parameters ? $"[{string.Join(", ", parameters.Select(Parameter))}]" : "";
        string required = property.IsDefined(typeof(RequiredMemberAttribute), false) ? "required " : "";
        return $"{property.Name}{index}: {Modifiers(getter ?? setter!)}{required}{Names.Of(property.PropertyType)} {{ {accessors}}}";
    }

    private static string Signature(MethodInfo method)
    {
        var generic = method.GetGenericArguments();
        string parameters = generic.Length == 0 ? "" : $"<{string.Join(", ", generic.Select(Names.Of))}>";
        string extension = method.IsDefined(typeof(ExtensionAttribute), false) ? "this " : "";
        return $"{method.Name}{parameters}({extension}{Parameters(method)}): {Modifiers(method)}{Names.Of(method.ReturnType)}{Constraints(generic)}";
    }

    private static string Modifiers(MethodBase method)
    {
        // An interface's instance members are abstract unless said otherwise, as in C#.
        bool implied = method.DeclaringType!.IsInterface && !method.IsStatic;
        string inheritance = method.IsAbstract ? implied ? "" : "abstract " : method.IsVirtual && !method.IsFinal ? "virtual " : "";
        return (method.IsPublic ? "" : "protected ") + (method.IsStatic ? "static " : "") + inheritance;
    }

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(Parameter));

    private static string Parameter(ParameterInfo parameter)
    {
        string reference = !parameter.ParameterType.IsByRef ? "" : parameter.IsOut ? "out " : parameter.IsIn ? "in " : "ref ";
        string many = parameter.IsDefined(typeof(ParamArrayAttribute), false) || parameter.IsDefined(typeof(ParamCollectionAttribute), false) ? "params " : "";
        var type = parameter.ParameterType.IsByRef ? parameter.ParameterType.GetElementType()! : parameter.ParameterType;
        return $"{many}{reference}{Names.Of(type)} {parameter.Name}{(parameter.HasDefaultValue ? $" = {Literal(parameter.DefaultValue)}" : "")}";
    }

    private static string Literal(object? value) => value switch
    {
        null => "default",
        string text => $"\"{text}\"",
        bool flag => flag ? "true" : "false",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    private static string Constraints(Type[] arguments) => string.Concat(arguments.Where(argument => argument.IsGenericParameter).Select(argument =>
    {
        var flags = argument.GenericParameterAttributes;
        bool value = flags.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint);
        string[] all =
        [
            .. value ? ["struct"] : flags.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint) ? ["class"] : Array.Empty<string>(),
            .. argument.GetGenericParameterConstraints().Where(type => type != typeof(ValueType)).Select(Names.Of).Order(StringComparer.Ordinal),
            .. !value && flags.HasFlag(GenericParameterAttributes.DefaultConstructorConstraint) ? ["new()"] : Array.Empty<string>(),
        ];
        return all.Length == 0 ? "" : $" where {argument.Name} : {string.Join(", ", all)}";
    }));
}
