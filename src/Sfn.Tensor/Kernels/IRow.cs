namespace Sfn.Kernels;

/// <summary>
/// What a row op reads at one column of its row. An input that is the same for all rows (a weight) is an input with row stride zero.
/// Only what a body reads is loaded.
/// </summary>
/// <typeparam name="L">The lane the body runs on.</typeparam>
public interface IRowAt<L> where L : struct, ILane<L>
{
    /// <summary>The first input.</summary>
    L A { get; }

    /// <summary>The second input.</summary>
    L B { get; }

    /// <summary>The third input.</summary>
    L C { get; }

    /// <summary>The fourth input.</summary>
    L D { get; }

    /// <summary>What the op has stored at this column before.</summary>
    L Y { get; }
}

/// <summary>One expression over the columns of a row. Its fields are the scalars of the row (a maximum, a mean).</summary>
public interface IRowBody
{
    /// <summary>The value at one column.</summary>
    L At<L, TAt>(TAt at) where L : struct, ILane<L> where TAt : struct, IRowAt<L>;
}

/// <summary>
/// One row, and who walks it: vector lanes on a CPU, the threads of a block on a GPU. Every thread of a block calls every member in the
/// same order, and every thread receives the result of a reduction.
/// </summary>
public interface IRowWalker
{
    /// <summary>Columns of the row.</summary>
    int Length { get; }

    /// <summary>Reduces the body over all columns, always in the same order.</summary>
    float Reduce<TMonoid, TBody>(TMonoid monoid, TBody body) where TMonoid : struct, IMonoid where TBody : struct, IRowBody;

    /// <summary>Stores the body in the row's output and reduces what was stored, in one pass.</summary>
    float StoreReduce<TMonoid, TBody>(TMonoid monoid, TBody body) where TMonoid : struct, IMonoid where TBody : struct, IRowBody;

    /// <summary>Stores the body in the row's output, which may be one of the inputs.</summary>
    void Store<TBody>(TBody body) where TBody : struct, IRowBody;

    /// <summary>Scalar number <paramref name="index"/> (0 or 1) of this row, an input.</summary>
    float Scalar(int index);

    /// <summary>Keeps <paramref name="value"/> as scalar number <paramref name="index"/> (0 or 1) of this row, where the caller asked for it.</summary>
    void StoreScalar(int index, float value);

    /// <summary>√x.</summary>
    float Sqrt(float x);

    /// <summary>Natural logarithm.</summary>
    float Log(float x);
}

/// <summary>An op along the rows of a matrix (softmax, norms), written once over an <see cref="IRowWalker"/>. Fields are its parameters.</summary>
public interface IRow
{
    /// <summary>Name of the op in reports and errors.</summary>
    static abstract string Name { get; }

    /// <summary>Does one row.</summary>
    void Run<W>(ref W row) where W : struct, IRowWalker;
}
