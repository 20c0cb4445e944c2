using Sfn.Ops;

namespace Sfn;

public sealed partial class Tensor
{
    /// <summary>e^x.</summary>
    public Tensor Exp() => Op.Run(new Map<Exp>(new()), this);

    /// <summary>Natural logarithm.</summary>
    public Tensor Log() => Op.Run(new Map<Log>(new()), this);

    /// <summary>Square root.</summary>
    public Tensor Sqrt() => Op.Run(new Map<Sqrt>(new()), this);

    /// <summary>1/√x.</summary>
    public Tensor Rsqrt() => Op.Run(new Map<Rsqrt>(new()), this);

    /// <summary>Hyperbolic tangent.</summary>
    public Tensor Tanh() => Op.Run(new Map<Tanh>(new()), this);

    /// <summary>1/(1 + e^−x).</summary>
    public Tensor Sigmoid() => Op.Run(new Map<Sigmoid>(new()), this);

    /// <summary>Error function.</summary>
    public Tensor Erf() => Op.Run(new Map<Erf>(new()), this);

    /// <summary>max(x, 0).</summary>
    public Tensor Relu() => Op.Run(new Map<Relu>(new()), this);

    /// <summary>Gaussian error linear unit, tanh form.</summary>
    public Tensor Gelu() => Op.Run(new Map<Gelu>(new()), this);

    /// <summary>Gaussian error linear unit, exact form with erf.</summary>
    public Tensor GeluErf() => Op.Run(new Map<GeluErf>(new()), this);

    /// <summary>x·sigmoid(x).</summary>
    public Tensor Silu() => Op.Run(new Map<Silu>(new()), this);

    /// <summary>|x|.</summary>
    public Tensor Abs() => Op.Run(new Map<Abs>(new()), this);

    /// <summary>x².</summary>
    public Tensor Square() => Op.Run(new Map<Square>(new()), this);

    /// <summary>1/x.</summary>
    public Tensor Reciprocal() => Op.Run(new Map<Reciprocal>(new()), this);

    /// <summary>x^exponent for a number; whole and half exponents are exact products and roots.</summary>
    public Tensor Pow(float exponent) => Op.Run(new Map<Pow>(new(exponent)), this);

    /// <summary>x^exponent, elementwise.</summary>
    public Tensor Pow(Tensor exponent) => Op.Run(new Zip<PowBinary>(new()), this, exponent);

    /// <summary>Values below <paramref name="low"/> or above <paramref name="high"/> replaced by the bound.</summary>
    public Tensor Clamp(float low, float high) => Op.Run(new Map<Clamp>(new(low, high)), this);

    /// <summary>The smaller of both, elementwise; NaN if either is.</summary>
    public Tensor Minimum(Tensor other) => Op.Run(new Zip<Minimum>(new()), this, other);

    /// <summary>The larger of both, elementwise; NaN if either is.</summary>
    public Tensor Maximum(Tensor other) => Op.Run(new Zip<Maximum>(new()), this, other);

    /// <summary>silu(this)·value: the gated activation of Shazeer 2020.</summary>
    public Tensor SwiGlu(Tensor value) => Op.Run(new Zip<SwiGlu>(new()), this, value);

    /// <summary>Elements of <paramref name="a"/> where the condition is true (or not 0), else of <paramref name="b"/>.</summary>
    public static Tensor Where(Tensor condition, Tensor a, Tensor b) => Op.Run(new Where(), condition, a, b);

    /// <summary>Where this &lt; other; Bool.</summary>
    public Tensor Less(Tensor other) => Op.Run(new Compare<Less>(new()), this, other);

    /// <summary>Where this &lt; a number; Bool.</summary>
    public Tensor Less(double other) => Less(Scalar(other, DType, Device));

    /// <summary>Where this ≤ other; Bool.</summary>
    public Tensor LessEqual(Tensor other) => Op.Run(new Compare<LessEqual>(new()), this, other);

    /// <summary>Where this ≤ a number; Bool.</summary>
    public Tensor LessEqual(double other) => LessEqual(Scalar(other, DType, Device));

    /// <summary>Where this &gt; other; Bool.</summary>
    public Tensor Greater(Tensor other) => Op.Run(new Compare<Greater>(new()), this, other);

    /// <summary>Where this &gt; a number; Bool.</summary>
    public Tensor Greater(double other) => Greater(Scalar(other, DType, Device));

    /// <summary>Where this ≥ other; Bool.</summary>
    public Tensor GreaterEqual(Tensor other) => Op.Run(new Compare<GreaterEqual>(new()), this, other);

    /// <summary>Where this ≥ a number; Bool.</summary>
    public Tensor GreaterEqual(double other) => GreaterEqual(Scalar(other, DType, Device));

    /// <summary>Where this = other; Bool.</summary>
    public Tensor EqualTo(Tensor other) => Op.Run(new Compare<Equal>(new()), this, other);

    /// <summary>Where this = a number; Bool.</summary>
    public Tensor EqualTo(double other) => EqualTo(Scalar(other, DType, Device));

    /// <summary>Where this ≠ other; Bool.</summary>
    public Tensor NotEqualTo(Tensor other) => Op.Run(new Compare<NotEqual>(new()), this, other);

    /// <summary>Where this ≠ a number; Bool.</summary>
    public Tensor NotEqualTo(double other) => NotEqualTo(Scalar(other, DType, Device));

    /// <summary>Elementwise sum with broadcasting.</summary>
    public static Tensor operator +(Tensor a, Tensor b) => Op.Run(new Zip<Add>(new()), a, b);

    /// <summary>Elementwise difference with broadcasting.</summary>
    public static Tensor operator -(Tensor a, Tensor b) => Op.Run(new Zip<Sub>(new()), a, b);

    /// <summary>Elementwise product with broadcasting.</summary>
    public static Tensor operator *(Tensor a, Tensor b) => Op.Run(new Zip<Mul>(new()), a, b);

    /// <summary>Elementwise quotient with broadcasting.</summary>
    public static Tensor operator /(Tensor a, Tensor b) => Op.Run(new Zip<Div>(new()), a, b);

    /// <summary>−x.</summary>
    public static Tensor operator -(Tensor x) => Op.Run(new Map<Neg>(new()), x);

    /// <summary>x + number.</summary>
    public static Tensor operator +(Tensor x, double number) => x.DType == DType.F64 ? x + Scalar(number, DType.F64, x.Device) : Op.Run(new Map<Shift>(new((float)number)), x);

    /// <summary>number + x.</summary>
    public static Tensor operator +(double number, Tensor x) => x + number;

    /// <summary>x − number.</summary>
    public static Tensor operator -(Tensor x, double number) => x + -number;

    /// <summary>number − x.</summary>
    public static Tensor operator -(double number, Tensor x) => -x + number;

    /// <summary>x·number.</summary>
    public static Tensor operator *(Tensor x, double number) => x.DType == DType.F64 ? x * Scalar(number, DType.F64, x.Device) : Op.Run(new Map<Scale>(new((float)number)), x);

    /// <summary>number·x.</summary>
    public static Tensor operator *(double number, Tensor x) => x * number;

    /// <summary>x/number.</summary>
    public static Tensor operator /(Tensor x, double number) => x * (1 / number);

    /// <summary>number/x.</summary>
    public static Tensor operator /(double number, Tensor x) => x.Reciprocal() * number;
}
