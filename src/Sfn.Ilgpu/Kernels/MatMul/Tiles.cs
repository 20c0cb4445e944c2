namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// The sizes of a tiled product. A tile of c is square, Size·Size, and a group has 2·Size threads: then every thread brings exactly one quad of each
/// operand per 8 steps of k.
/// </summary>
internal interface ITile
{
    /// <summary>Rows and columns of c per group.</summary>
    static abstract int Size { get; }

    /// <summary>Steps of k between two barriers, a multiple of 8.</summary>
    static abstract int Depth { get; }

    /// <summary>Rows of c per thread; Size/Rows is a multiple of 8.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of c per thread; Size/Columns is a multiple of 4.</summary>
    static abstract int Columns { get; }

    /// <summary>Groups that shall fit a multiprocessor at once: bounds the registers.</summary>
    static abstract int Resident { get; }
}

/// <summary>For large products: 8·8 results per thread, 64 products for 4 loads of 16 bytes from shared memory.</summary>
internal readonly struct Tile128 : ITile
{
    public static int Size => 128;

    public static int Depth => 8;

    public static int Rows => 8;

    public static int Columns => 8;

    public static int Resident => 2;
}

/// <summary>For products with too few tiles of 128: 8·4 results per thread, 32 products for 3 loads.</summary>
internal readonly struct Tile64 : ITile
{
    public static int Size => 64;

    public static int Depth => 16;

    public static int Rows => 8;

    public static int Columns => 4;

    public static int Resident => 4;
}

/// <summary>For small products: 4·4 results per thread, 16 products for 2 loads.</summary>
internal readonly struct Tile32 : ITile
{
    public static int Size => 32;

    public static int Depth => 16;

    public static int Rows => 4;

    public static int Columns => 4;

    public static int Resident => 12;
}
