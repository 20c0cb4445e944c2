namespace Sfn.Backends.Ilgpu.Kernels;

/// <summary>
/// How a group of threads shares rows: <see cref="Lanes"/> threads walk one row together, a group holds <see cref="Threads"/> / Lanes rows. The shapes
/// are fixed, so that the order of a sum depends on the row's length alone and not on the device.
/// </summary>
internal interface IRowShape
{
    /// <summary>Threads of a row, a power of two.</summary>
    static abstract int Lanes { get; }

    /// <summary>How many partial results are left after the first step of a <see cref="Tree"/>, about √Lanes.</summary>
    static abstract int Fan { get; }

    /// <summary>Quads of a row that a thread holds in registers, 1 to 4.</summary>
    static abstract int Slots { get; }

    /// <summary>Threads of a group.</summary>
    static abstract int Threads { get; }
}

/// <summary>Rows of up to 32 columns, 32 of them a group.</summary>
internal readonly struct Lanes8 : IRowShape
{
    public static int Lanes => 8;

    public static int Fan => 2;

    public static int Slots => 1;

    public static int Threads => 256;
}

/// <summary>Rows of up to 128 columns, eight of them a group.</summary>
internal readonly struct Lanes32 : IRowShape
{
    public static int Lanes => 32;

    public static int Fan => 8;

    public static int Slots => 1;

    public static int Threads => 256;
}

/// <summary>Rows of up to 1024 columns, four of them a group.</summary>
internal readonly struct Lanes64 : IRowShape
{
    public static int Lanes => 64;

    public static int Fan => 8;

    public static int Slots => 4;

    public static int Threads => 256;
}

/// <summary>Rows of up to 4096 columns.</summary>
internal readonly struct Lanes256 : IRowShape
{
    public static int Lanes => 256;

    public static int Fan => 16;

    public static int Slots => 4;

    public static int Threads => 256;
}

/// <summary>Rows of up to 8192 columns in registers, and longer ones in several passes.</summary>
internal readonly struct Lanes512 : IRowShape
{
    public static int Lanes => 512;

    public static int Fan => 16;

    public static int Slots => 4;

    public static int Threads => 512;
}
