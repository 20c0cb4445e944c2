using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Sfn.IO;

/// <summary>An array as a .npy file holds it.</summary>
/// <param name="DType">NumPy's spelling of the element type: &lt;f4, &lt;f8, &lt;i4, &lt;u2, |u1 or |b1.</param>
/// <param name="Shape">Sizes, outermost first; empty for a scalar.</param>
/// <param name="Bytes">The elements, little-endian and row-major.</param>
public sealed record NpyArray(string DType, long[] Shape, byte[] Bytes);

/// <summary>Reads and writes NumPy's .npy files (format versions 1 to 3) as shape, element type and bytes. Format: numpy.lib.format.</summary>
public static class Npy
{
    private const string Supported = "save it as float32, float64, int32, uint16, uint8 or bool (for example with .astype)";
    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Bytes per element of a supported type, or 0.</summary>
    public static int ElementSize(string dtype) => dtype switch
    {
        "<f8" => 8,
        "<f4" or "<i4" => 4,
        "<u2" => 2,
        "|u1" or "|b1" => 1,
        _ => 0,
    };

    /// <summary>Reads a file; every size is checked against the file's length before memory is taken.</summary>
    /// <exception cref="FormatError">Missing, damaged or cut off file, Fortran order, big-endian or unsupported type, 2 GiB or more.</exception>
    public static NpyArray Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            var (dtype, shape) = ReadHeader(path, stream);
            int element = ElementSize(dtype);
            if (!SafetensorsDType.TryByteCount(element * 8, shape, out long bytes) || bytes > Array.MaxLength)
                throw new FormatError(path, $"the array {dtype} ({string.Join(", ", shape)}) has 2 GiB or more", "split it, or store it as safetensors");
            long rest = stream.Length - stream.Position;
            if (rest != bytes)
            {
                throw new FormatError(path, $"the array {dtype} ({string.Join(", ", shape)}) needs {bytes} bytes, the file has {rest} behind its header",
                    rest < bytes ? "the file is cut off: write it again" : "the file is damaged: write it again");
            }
            byte[] data = GC.AllocateUninitializedArray<byte>((int)bytes);
            stream.ReadExactly(data);
            return new NpyArray(dtype, shape, data);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new FormatError(path, "there is no such file", "check the path", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new FormatError(path, $"cannot be read ({error.Message})", "check that it is a file and that you may read it", error);
        }
    }

    /// <summary>Writes a file atomically (<see cref="AtomicFile"/>), version 1, data aligned to 64 bytes.</summary>
    /// <param name="path">The file.</param>
    /// <param name="dtype">One of the types <see cref="ElementSize"/> knows.</param>
    /// <param name="shape">Sizes, outermost first.</param>
    /// <param name="bytes">The elements, little-endian and row-major.</param>
    /// <exception cref="ArgumentException">Unknown type, or the number of bytes does not fit the shape.</exception>
    public static void Write(string path, string dtype, ReadOnlySpan<long> shape, ReadOnlyMemory<byte> bytes)
    {
        int element = ElementSize(dtype);
        if (element == 0) throw new ArgumentException($"npy type '{dtype}' is not supported; {Supported}", nameof(dtype));
        string sizes = string.Join(", ", shape.ToArray()) + (shape.Length == 1 ? "," : "");
        if (!SafetensorsDType.TryByteCount(element * 8, shape, out long expected) || expected != bytes.Length)
            throw new ArgumentException($"{bytes.Length} bytes do not fill an array {dtype} ({sizes}), which needs {expected}", nameof(bytes));
        string header = $"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({sizes}), }}";
        int padded = (10 + header.Length + 1 + 63) / 64 * 64;
        byte[] prefix = new byte[padded];
        prefix.AsSpan().Fill((byte)' ');
        Magic.CopyTo(prefix);
        prefix[6] = 1;
        prefix[7] = 0;
        BinaryPrimitives.WriteUInt16LittleEndian(prefix.AsSpan(8), checked((ushort)(padded - 10)));
        Encoding.ASCII.GetBytes(header, prefix.AsSpan(10));
        prefix[^1] = (byte)'\n';
        AtomicFile.Write(path, stream =>
        {
            stream.Write(prefix);
            stream.Write(bytes.Span);
        });
    }

    private static (string DType, long[] Shape) ReadHeader(string path, FileStream stream)
    {
        Span<byte> start = stackalloc byte[12];
        int read = stream.ReadAtLeast(start, 12, throwOnEndOfStream: false);
        if (read < 10 || !start[..6].SequenceEqual(Magic)) throw new FormatError(path, "does not begin like a .npy file", "save the array with numpy.save");
        int version = start[6];
        if (version is < 1 or > 3) throw new FormatError(path, $"has .npy version {version}, known are 1 to 3", "save it with numpy.save");
        long length = version == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(start[8..]) : BinaryPrimitives.ReadUInt32LittleEndian(start[8..]);
        stream.Position = version == 1 ? 10 : 12;
        if (length > 1 << 20 || length > stream.Length - stream.Position)
            throw new FormatError(path, $"claims a header of {length} bytes in a file of {stream.Length}", "the file is damaged or cut off: write it again");
        byte[] text = new byte[length];
        stream.ReadExactly(text);
        var (dtype, fortran, shape) = new HeaderReader(path, Encoding.UTF8.GetString(text)).Read();
        if (dtype.StartsWith('>')) throw new FormatError(path, $"is big-endian ('{dtype}')", "save it little-endian: a.astype(a.dtype.newbyteorder('<'))");
        if (ElementSize(dtype) == 0) throw new FormatError(path, $"has the unsupported type '{dtype}'", Supported);
        // One dimension, or none, has the same bytes in both orders.
        if (fortran && shape.Length > 1) throw new FormatError(path, "is stored in Fortran (column-major) order", "save numpy.ascontiguousarray(a) instead");
        return (dtype, shape);
    }

    /// <summary>Reads the header's Python dictionary: three keys with a string, a bool and a tuple of integers.</summary>
    private sealed class HeaderReader(string path, string text)
    {
        private int _at;

        public (string DType, bool Fortran, long[] Shape) Read()
        {
            string? dtype = null;
            bool? fortran = null;
            long[]? shape = null;
            Expect('{');
            while (!Accept('}'))
            {
                string key = String();
                Expect(':');
                if (key == "descr" && dtype is null) dtype = String();
                else if (key == "fortran_order" && fortran is null) fortran = Bool();
                else if (key == "shape" && shape is null) shape = Tuple();
                else throw Bad($"unexpected key '{key}'");
                if (!Accept(',')) { Expect('}'); break; }
            }
            if (dtype is null || fortran is null || shape is null) throw Bad("descr, fortran_order or shape is missing");
            return (dtype, fortran.Value, shape);
        }

        private FormatError Bad(string what) =>
            new(path, $"has a malformed .npy header ({what} at character {_at})", "save the array again with numpy.save; structured types are not supported");

        private void SkipSpaces()
        {
            while (_at < text.Length && char.IsWhiteSpace(text[_at])) _at++;
        }

        private bool Accept(char c)
        {
            SkipSpaces();
            if (_at >= text.Length || text[_at] != c) return false;
            _at++;
            return true;
        }

        private void Expect(char c)
        {
            if (!Accept(c)) throw Bad($"expected '{c}'");
        }

        private string String()
        {
            char quote = Accept('\'') ? '\'' : Accept('"') ? '"' : throw Bad("expected a string");
            int end = text.IndexOf(quote, _at);
            if (end < 0 || end - _at > 64) throw Bad("a string does not end");
            string value = text[_at..end];
            _at = end + 1;
            return value.Any(char.IsControl) ? throw Bad("control character in a string") : value;
        }

        private bool Bool()
        {
            SkipSpaces();
            if (text.AsSpan(_at).StartsWith("True")) { _at += 4; return true; }
            if (text.AsSpan(_at).StartsWith("False")) { _at += 5; return false; }
            throw Bad("expected True or False");
        }

        private long[] Tuple()
        {
            var sizes = new List<long>();
            Expect('(');
            while (!Accept(')'))
            {
                int start = _at;
                while (_at < text.Length && char.IsAsciiDigit(text[_at])) _at++;
                var digits = text.AsSpan(start, _at - start);
                if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long size)) throw Bad("expected a size");
                if (sizes.Count == 32) throw Bad("more than 32 dimensions");
                sizes.Add(size);
                if (!Accept(',')) { Expect(')'); break; }
            }
            return [.. sizes];
        }
    }
}
