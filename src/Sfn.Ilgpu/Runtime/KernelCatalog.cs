using System.Reflection;
using Sfn.Backends.Ilgpu.Kernels;
using Sfn.Kernels;

namespace Sfn.Backends.Ilgpu.Runtime;

/// <summary>
/// Every kernel the engine can launch on its own ops: each kernel type closed over all op bodies, element types and tile shapes that its constraints
/// admit. Nothing is listed by hand: a new op or kernel is in the catalogue as soon as it exists.
/// </summary>
internal static class KernelCatalog
{
    private static readonly Type[] s_structs =
        [.. new[] { typeof(Tensor).Assembly, typeof(IKernel).Assembly }.SelectMany(a => a.GetTypes()).Where(t => t.IsValueType && !t.IsEnum && !t.IsByRefLike)];

    // Kernels that move bits take plain integers of the elements' size.
    private static readonly Type[] s_bits = [typeof(byte), typeof(ushort), typeof(uint), typeof(ulong), typeof(Bits16)];

    /// <summary>All kernel types.</summary>
    public static IReadOnlyList<Type> All { get; } = [.. s_structs.Where(t => typeof(IKernel).IsAssignableFrom(t)).SelectMany(Close).Where(IsLaunched)];

    private static IEnumerable<Type> Close(Type definition)
    {
        if (!definition.IsGenericTypeDefinition) return [definition];
        IEnumerable<Type[]> choices = [[]];
        var parameters = definition.GetGenericArguments();
        foreach (var parameter in parameters)
            choices = [.. choices.SelectMany(chosen => Candidates(parameter, parameters, chosen).Select(t => (Type[])[.. chosen, t]))];
        return choices.Select(definition.MakeGenericType);
    }

    // A parameter's constraints may name parameters before it: a quad of the elements chosen already.
    private static IEnumerable<Type> Candidates(Type parameter, Type[] parameters, Type[] chosen)
    {
        var constraints = parameter.GetGenericParameterConstraints().Where(c => c.IsInterface).ToArray();
        if (constraints.Length == 0) return s_bits;
        return s_structs.SelectMany(t => t.IsGenericTypeDefinition ? CloseBody(t, constraints) : [t])
            .Where(t => constraints.All(c => Bind(c, parameters, [.. chosen, t]) is { } bound && bound.IsAssignableFrom(t)));
    }

    // Bodies over a choice of their own (which of weight and bias a norm has); compositions of two bodies are their users' kernels.
    private static IEnumerable<Type> CloseBody(Type definition, Type[] constraints)
    {
        if (!constraints.Any(c => !c.ContainsGenericParameters && c.IsAssignableFrom(definition))) return [];
        var arguments = definition.GetGenericArguments();
        if (arguments.Length != 1) return [];
        return arguments[0].GetGenericParameterConstraints().Where(c => c.IsInterface).SelectMany(c =>
            s_structs.Where(t => !t.IsGenericTypeDefinition && c.IsAssignableFrom(t)).Select(t => definition.MakeGenericType(t)));
    }

    private static Type? Bind(Type constraint, Type[] parameters, Type[] chosen)
    {
        if (!constraint.ContainsGenericParameters) return constraint;
        var arguments = constraint.GetGenericArguments().Select(a => a.IsGenericParameter ? chosen.ElementAtOrDefault(Array.IndexOf(parameters, a)) : a).ToArray();
        if (Array.IndexOf(arguments, null) >= 0) return null;
        try { return constraint.GetGenericTypeDefinition().MakeGenericType(arguments!); }
        catch (ArgumentException) { return null; }
    }

    private static bool IsLaunched(Type kernel)
    {
        var ask = typeof(KernelCatalog).GetMethod(nameof(Ask), BindingFlags.NonPublic | BindingFlags.Static)!;
        return (bool)ask.MakeGenericMethod(kernel).Invoke(null, null)!;
    }

    private static bool Ask<TKernel>() where TKernel : struct, IKernel => TKernel.IsLaunched;
}
