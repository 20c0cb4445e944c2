using Sfn.Autograd;

namespace Sfn.Nn;

/// <summary>A part of a model: a name, parameters, and parts of its own. Parameters exist only through <see cref="Param"/>, so none is forgotten.</summary>
public abstract class Module
{
    private readonly List<Parameter> _own = [];
    private readonly List<Module> _children = [];

    /// <summary>The root of a model.</summary>
    protected Module(Device? device = null, Numerics numerics = default)
    {
        Path = "";
        Device = device ?? Device.Cpu;
        Numerics = numerics;
    }

    /// <summary>A part of <paramref name="parent"/>; without a name it shares the parent's path.</summary>
    protected Module(Module parent, string name)
    {
        Path = name.Length == 0 ? parent.Path : parent.Path.Length > 0 ? $"{parent.Path}.{name}" : name;
        Device = parent.Device;
        Numerics = parent.Numerics;
        parent._children.Add(this);
    }

    /// <summary>Names from the root, for example <c>blocks.0.ffn.up</c>; empty for the root.</summary>
    public string Path { get; }

    /// <summary>Where the parameters are.</summary>
    public Device Device { get; }

    /// <summary>The precision of the whole model.</summary>
    public Numerics Numerics { get; }

    /// <summary>The parts, in order of construction.</summary>
    public IReadOnlyList<Module> Children => _children;

    /// <summary>All parameters of this module and its parts, in order of construction.</summary>
    public IReadOnlyList<Parameter> Parameters
    {
        get
        {
            var all = new List<Parameter>();
            Collect(all);
            return all;
        }
    }

    /// <summary>Makes a parameter named <paramref name="name"/> under this module's path. Ops read its value in float32: biases, weights of norms.</summary>
    protected Parameter Param(string name, Tensor value) => Add(name, value, shadowed: false);

    /// <summary>The same for a matrix, which ops read in the model's element type: <see cref="Parameter.Reading"/>.</summary>
    protected Parameter Matrix(string name, Tensor value) => Add(name, value, shadowed: Numerics.Compute == DType.BF16);

    private Parameter Add(string name, Tensor value, bool shadowed)
    {
        var parameter = new Parameter(Path.Length > 0 ? $"{Path}.{name}" : name, value, shadowed);
        _own.Add(parameter);
        return parameter;
    }

    /// <summary>Opens the scope of a call: what is made inside and not returned is freed when it closes.</summary>
    protected Call Enter() => new(this);

    private void Collect(List<Parameter> all)
    {
        all.AddRange(_own);
        foreach (var child in _children) child.Collect(all);
    }

    /// <summary>A running call of a module.</summary>
    protected readonly ref struct Call
    {
        private readonly Scope _scope;
        private readonly string _outer;

        internal Call(Module module)
        {
            _outer = ModulePath.Current;
            ModulePath.Current = module.Path;
            _scope = Scope.Open(module.Path.Length > 0 ? module.Path : module.GetType().Name);
        }

        /// <summary>Lets <paramref name="result"/> outlive the call.</summary>
        public Tensor Return(Tensor result) => _scope.Return(result);

        /// <summary>Ends the call.</summary>
        public void Dispose()
        {
            _scope.Dispose();
            ModulePath.Current = _outer;
        }
    }
}
