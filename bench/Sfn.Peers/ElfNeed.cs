using System.Buffers.Binary;
using System.Text;

namespace Sfn.Peers;

/// <summary>
/// Makes a shared library's need for one symbol version optional. A 64-bit little-endian ELF file lists the versions it needs of other
/// libraries; one that is flagged weak may be missing, and the undefined symbols of that version must then be weak too: they resolve to null.
/// </summary>
internal static class ElfNeed
{
    private const uint Verneed = 0x6ffffffe, Versym = 0x6fffffff, Dynsym = 11;
    private const byte Weak = 2;

    /// <summary>Rewrites the file; false if it does not need that version, or needs it weakly already.</summary>
    public static bool MakeOptional(string path, string version)
    {
        byte[] file = File.ReadAllBytes(path);
        if (!file.AsSpan().StartsWith("\u007fELF\u0002\u0001"u8)) throw new InvalidDataException($"{path} is no 64-bit little-endian ELF file.");
        var needs = Section(file, Verneed);
        int strings = Number(file, Header(file, needs.Link) + 24, 8);
        int number = -1;
        for (int need = needs.Offset, i = 0; i < needs.Info; i++, need += Number(file, need + 12, 4))
        {
            int entry = need + Number(file, need + 8, 4);
            for (int j = 0; j < Number(file, need + 2, 2); j++, entry += Number(file, entry + 12, 4))
            {
                if (Text(file, strings + Number(file, entry + 8, 4)) != version || (file[entry + 4] & Weak) != 0) continue;
                file[entry + 4] |= Weak;
                number = Number(file, entry + 6, 2);
            }
        }
        if (number < 0) return false;

        var symbols = Section(file, Dynsym);
        var versions = Section(file, Versym);
        for (int i = 0; i < versions.Size / 2; i++)
        {
            int symbol = symbols.Offset + 24 * i;
            bool undefined = Number(file, symbol + 6, 2) == 0;
            if (undefined && (Number(file, versions.Offset + 2 * i, 2) & 0x7fff) == number) file[symbol + 4] = (byte)(Weak << 4 | file[symbol + 4] & 15);
        }

        // A new file takes the old one's place: the old one may be mapped, or be a link into the package folder. The old date keeps
        // the next build from copying the package's file again.
        string changed = $"{path}.{Environment.ProcessId}";
        File.WriteAllBytes(changed, file);
        File.SetLastWriteTimeUtc(changed, File.GetLastWriteTimeUtc(path));
        File.Move(changed, path, overwrite: true);
        return true;
    }

    private static (int Offset, int Size, int Link, int Info) Section(byte[] file, uint type)
    {
        for (int i = 0; i < Number(file, 0x3c, 2); i++)
        {
            int header = Header(file, i);
            if ((uint)Number(file, header + 4, 4) == type)
                return (Number(file, header + 24, 8), Number(file, header + 32, 8), Number(file, header + 40, 4), Number(file, header + 44, 4));
        }
        throw new InvalidDataException($"The library has no section of type {type:x}.");
    }

    private static int Header(byte[] file, int section) => Number(file, 0x28, 8) + section * Number(file, 0x3a, 2);

    private static int Number(byte[] file, int offset, int bytes) => bytes switch
    {
        2 => BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(offset)),
        4 => BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(offset)),
        _ => checked((int)BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(offset))),
    };

    private static string Text(byte[] file, int offset) => Encoding.ASCII.GetString(file, offset, file.AsSpan(offset).IndexOf((byte)0));
}
