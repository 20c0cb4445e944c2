namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>The size of an attention tile, known when the kernel is compiled so that its loops unroll and its arrays become registers.</summary>
internal interface IAttentionTile
{
    static abstract string Name { get; }

    /// <summary>Rows of a tile per thread: a tile has 8 times as many.</summary>
    static abstract int Rows { get; }

    /// <summary>Groups of 64 columns of the output: the head dimension is at most 64 times as large.</summary>
    static abstract int Groups { get; }
}

/// <summary>64 rows, head dimensions up to 64.</summary>
internal readonly struct Tile64By64 : IAttentionTile
{
    public static string Name => "64x64";

    public static int Rows => 8;

    public static int Groups => 1;
}

/// <summary>32 rows, head dimensions up to 128.</summary>
internal readonly struct Tile32By128 : IAttentionTile
{
    public static string Name => "32x128";

    public static int Rows => 4;

    public static int Groups => 2;
}

/// <summary>32 rows, head dimensions up to 256.</summary>
internal readonly struct Tile32By256 : IAttentionTile
{
    public static string Name => "32x256";

    public static int Rows => 4;

    public static int Groups => 4;
}

/// <summary>8 rows, head dimensions up to 64: few queries against many keys.</summary>
internal readonly struct Tile8By64 : IAttentionTile
{
    public static string Name => "8x64";

    public static int Rows => 1;

    public static int Groups => 1;
}

/// <summary>8 rows, head dimensions up to 128.</summary>
internal readonly struct Tile8By128 : IAttentionTile
{
    public static string Name => "8x128";

    public static int Rows => 1;

    public static int Groups => 2;
}

/// <summary>8 rows, head dimensions up to 256.</summary>
internal readonly struct Tile8By256 : IAttentionTile
{
    public static string Name => "8x256";

    public static int Rows => 1;

    public static int Groups => 4;
}
