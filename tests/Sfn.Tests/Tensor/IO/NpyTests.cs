using System.Text;
using CsCheck;
using Sfn.IO;

namespace Sfn.Tests.IO;

public class NpyTests
{
    private static readonly string[] s_dtypes = ["<f4", "<f8", "<i4", "<u2", "|u1", "|b1"];

    [Fact]
    public void Round_trip() =>
        Gen.Select(Gen.Int[0, 5].Select(i => s_dtypes[i]), Gen.Long[0, 4].Array[0, 5], Gen.Int).Sample((dtype, shape, seed) =>
        {
            using var folder = new TemporaryFolder();
            byte[] bytes = new byte[shape.Aggregate(1L, (p, s) => p * s) * Npy.ElementSize(dtype)];
            new Random(seed).NextBytes(bytes);
            Npy.Write(folder["a.npy"], dtype, shape, bytes);
            var read = Npy.Read(folder["a.npy"]);
            Assert.Equal(dtype, read.DType);
            Assert.Equal(shape, read.Shape);
            Assert.Equal(bytes, read.Bytes);
        }, iter: 100);

    private static byte[] File1(string header, int data, byte version = 1)
    {
        byte[] text = Encoding.ASCII.GetBytes(header);
        byte[] length = version == 1 ? BitConverter.GetBytes((ushort)text.Length) : BitConverter.GetBytes((uint)text.Length);
        return [0x93, .. "NUMPY"u8, version, 0, .. length, .. text, .. new byte[data]];
    }

    private static string Refusal(byte[] content)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["x.npy"], content);
        return Assert.Throws<FormatError>(() => Npy.Read(folder["x.npy"])).Message;
    }

    [Theory]
    [InlineData("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24, "Fortran")]
    [InlineData("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", 4, "big-endian")]
    [InlineData("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", 8, "unsupported type '<i8'")]
    [InlineData("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4, "malformed")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 4, "cut off")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 5, "damaged")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999, 99999999999), }", 4, "2 GiB")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 4, "expected a size")]
    [InlineData("{'descr': '<f4', 'fortran_order': False}", 4, "missing")]
    public void Faults_are_named(string header, int data, string expected) => Assert.Contains(expected, Refusal(File1(header, data)), StringComparison.Ordinal);

    [Fact]
    public void Version_2_scalars_and_double_quotes_are_read()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["x.npy"], File1("{\"shape\": (), \"descr\": \"<f4\", \"fortran_order\": False}  \n", 4, version: 2));
        Assert.Empty(Npy.Read(folder["x.npy"]).Shape);
    }

    [Fact]
    public void Mutated_files_give_only_format_errors()
    {
        byte[] good = File1("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24);
        using var folder = new TemporaryFolder();
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte, Gen.Int[0, good.Length]).Array[1, 3].Sample(mutations =>
        {
            byte[] bytes = [.. good];
            foreach (var (at, value, cut) in mutations)
            {
                if (at < bytes.Length) bytes[at] = value;
                if (value % 4 == 0) bytes = bytes[..Math.Min(cut, bytes.Length)];
            }
            string path = folder[Guid.NewGuid().ToString("N")];
            File.WriteAllBytes(path, bytes);
            try { Npy.Read(path); } catch (FormatError) { }
            File.Delete(path);
        }, iter: 1000);
    }
}
