namespace Sfn.CudaEmulator.Decoding;

/// <summary>
/// What the interpreter can do. Most PTX instructions become one of these; those with modifiers become a few. The names of arithmetic end in their
/// type, where I means that the sign does not matter.
/// </summary>
internal enum Op : ushort
{
    // Control. The last three end a thread's turn.
    Bra, BraIf, BraIfNot, Exit, Trap, Barrier, Warp,

    // Moves. Every register slot is 8 bytes wide.
    Mov, Selp, Pack, Unpack, LoadParam, CopyLocal,
    Zext8, Zext16, Zext32, Sext8, Sext16, Sext32, Low8, Low16, Low32,

    // Memory: address in A plus Imm, value in D (load) or B (store).
    Load8, Load16, Load32, Load64, LoadMany, Store8, Store16, Store32, Store64, StoreMany, Atomic,
    CopyAsync, CommitGroup, WaitGroup,

    // Integers of 32 bits.
    AddI32, SubI32, MulLoI32, MadLoI32, MulWideU32, MulWideS32, MadWideU32, MadWideS32, NegI32, AbsS32,
    MinS32, MaxS32, MinU32, MaxU32, And32, Or32, Xor32, Not32, Shl32, ShrU32, ShrS32, NotPred,
    DivS32, DivU32, RemS32, RemU32, MulHiS32, MulHiU32,

    // Integers of 64 bits.
    AddI64, SubI64, MulLoI64, MadLoI64, NegI64, AbsS64, MinS64, MaxS64, MinU64, MaxU64, And64, Or64, Xor64, Not64, Shl64, ShrU64, ShrS64,
    DivS64, DivU64, RemS64, RemU64, MulHiS64, MulHiU64,

    // Floats.
    AddF32, SubF32, MulF32, FmaF32, DivF32, NegF32, AbsF32, MinF32, MaxF32, SqrtF32, RcpF32, RsqrtF32, Ex2F32, Lg2F32, SinF32, CosF32, TanhF32,
    AddF64, SubF64, MulF64, FmaF64, DivF64, NegF64, AbsF64, MinF64, MaxF64, SqrtF64, RcpF64, RsqrtF64,
    MinNanF32, MaxNanF32, CopySignF32, CopySignF64, FlushF32, SaturateF32, SaturateF64,

    // Comparisons: D is a predicate. The forms with u are true for unordered operands.
    EqI32, NeI32, LtS32, LeS32, GtS32, GeS32, LtU32, LeU32, GtU32, GeU32,
    EqI64, NeI64, LtS64, LeS64, GtS64, GeS64, LtU64, LeU64, GtU64, GeU64,
    EqF32, NeF32, LtF32, LeF32, GtF32, GeF32, EquF32, NeuF32, LtuF32, LeuF32, GtuF32, GeuF32, NumF32, NanF32,
    EqF64, NeF64, LtF64, LeF64, GtF64, GeF64, EquF64, NeuF64, LtuF64, LeuF64, GtuF64, GeuF64, NumF64, NanF64,
    TestF32, TestF64,

    // Bits.
    Popc32, Popc64, Clz32, Clz64, Brev32, Brev64, BfeS32, BfeU32, BfeS64, BfeU64, Bfi32, Bfi64, Prmt, Lop3, Bfind32, Shf,

    // Conversions. Convert goes by the two types in Imm.
    CvtF32S32, CvtF32U32, CvtS32F32, CvtF64F32, CvtF32F64, Convert, PackNarrow, UnpackWide,
}

/// <summary>How a thread ends its turn: what Imm of an <see cref="Op.Warp"/> instruction holds.</summary>
internal enum WarpOp : byte { Sync, Shuffle, Vote, Reduce, Active, Mma, LoadMatrix, StoreMatrix }

/// <summary>One decoded instruction. D, A, B and C are byte offsets into the thread's registers.</summary>
internal struct Instr
{
    public Op Op;
    public byte Space;
    public byte Flags;
    public int D;
    public int A;
    public int B;
    public int C;
    public long Imm;
}
