using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Sfn.IO;

namespace Sfn.Tests.IO;

public class SafetensorsTests
{
    private static readonly string[] s_dtypes = ["F32", "F64", "BF16", "I32", "U16", "U8", "BOOL"];

    private static byte[] Raw(string json, int dataBytes)
    {
        byte[] header = Encoding.UTF8.GetBytes(json);
        byte[] file = new byte[8 + header.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file, 8);
        return file;
    }

    private static string Refusal(byte[] content)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["x.safetensors"], content);
        string message = Assert.Throws<FormatError>(() => SafetensorsFile.Open(folder["x.safetensors"]).Dispose()).Message;
        Assert.StartsWith(folder["x.safetensors"], message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        return message;
    }

    [Fact]
    public void Round_trip_keeps_names_types_shapes_bytes_and_metadata()
    {
        var entry = Gen.Select(Gen.Int[0, 6].Select(i => s_dtypes[i]), Gen.Long[0, 4].Array[0, 4], Gen.Byte);
        Gen.Select(Gen.Dictionary(Gen.String[Gen.Char.AlphaNumeric, 1, 12], entry)[0, 8],
            Gen.Dictionary(Gen.String[Gen.Char.AlphaNumeric, 0, 8], Gen.String[Gen.Char['\u0001', '\u00ff'], 0, 20])[0, 4])
            .Sample((tensors, metadata) =>
        {
            using var folder = new TemporaryFolder();
            var content = new Dictionary<string, byte[]>();
            var writer = new SafetensorsWriter();
            var reversed = new SafetensorsWriter();
            foreach (var (key, value) in metadata) { writer.SetMetadata(key, value); reversed.SetMetadata(key, value); }
            foreach (var (name, (dtype, shape, seed)) in tensors)
            {
                int size = dtype switch { "F64" => 8, "F32" or "I32" => 4, "BF16" or "U16" => 2, _ => 1 };
                byte[] bytes = new byte[shape.Aggregate(1L, (p, s) => p * s) * size];
                new Random(seed).NextBytes(bytes);
                content[name] = bytes;
                writer.Add(name, dtype, shape, bytes);
            }
            foreach (var (name, (dtype, shape, _)) in Enumerable.Reverse(tensors)) reversed.Add(name, dtype, shape, content[name]);
            writer.Save(folder["a"]);
            reversed.Save(folder["b"]);
            Assert.Equal(File.ReadAllBytes(folder["a"]), File.ReadAllBytes(folder["b"]));
            Assert.Equal(0, BinaryPrimitives.ReadInt64LittleEndian(File.ReadAllBytes(folder["a"])) % 8);
            using var file = SafetensorsFile.Open(folder["a"]);
            Assert.Equal(tensors.Keys.Order(StringComparer.Ordinal), file.Names);
            foreach (var (name, (dtype, shape, _)) in tensors)
            {
                Assert.Equal(dtype, file[name].DType);
                Assert.Equal(shape, file[name].Shape);
                Assert.Equal(content[name], file.Bytes(name));
            }
            Assert.Equal(metadata.OrderBy(m => m.Key, StringComparer.Ordinal), file.Metadata);
        }, iter: 100);
    }

    [Fact]
    public void Mutated_files_give_only_format_errors()
    {
        using var folder = new TemporaryFolder();
        var writer = new SafetensorsWriter();
        writer.SetMetadata("format", "pt");
        writer.Add("a.weight", "F32", [3, 4], new byte[48]);
        writer.Add("b", "U8", [], new byte[1]);
        writer.Add("c", "BF16", [2, 0, 5], Array.Empty<byte>());
        writer.Save(folder["good"]);
        byte[] good = File.ReadAllBytes(folder["good"]);
        int headerEnd = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(good);
        string[] pieces = ["\"", "{", "}", "[", "]", ",", "-1", "1e99", "9223372036854775807", "99999999999999999999", "null", "\\ud800", "\u0000",
            "4611686018427387904", "F4", "[[[[[["];
        // Each mutation: an operation, a place and a value; half of the places fall into the header's first bytes.
        var mutation = Gen.Select(Gen.Int[0, 5], Gen.Int[0, headerEnd + 10], Gen.Byte, Gen.Int[0, pieces.Length - 1].Select(i => pieces[i]));
        int refused = 0;
        mutation.Array[1, 4].Sample(mutations =>
        {
            var bytes = new List<byte>(good);
            foreach (var (operation, place, value, piece) in mutations)
            {
                int at = Math.Min(place, bytes.Count - 1);
                if (bytes.Count < 2) break;
                switch (operation)
                {
                    case 0: bytes[at] = value; break;
                    case 1: bytes[at] ^= (byte)(1 << (value & 7)); break;
                    case 2: bytes.RemoveRange(at, Math.Min(value % 16, bytes.Count - at)); break;
                    case 3: bytes.RemoveRange(at, bytes.Count - at); break;
                    default:
                        byte[] inserted = Encoding.UTF8.GetBytes(piece);
                        bytes.InsertRange(at, inserted);
                        // Keep the length right, so that the fault reaches the JSON.
                        if (operation == 4 && at >= 8 && bytes.Count > headerEnd)
                        {
                            byte[] length = BitConverter.GetBytes((long)(headerEnd - 8 + inserted.Length));
                            for (int i = 0; i < 8; i++) bytes[i] = length[i];
                        }
                        break;
                }
            }
            string path = folder[Guid.NewGuid().ToString("N")];
            File.WriteAllBytes(path, [.. bytes]);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using var file = SafetensorsFile.Open(path);
                foreach (string name in file.Names) Assert.Equal(file[name].ByteCount, file.Bytes(name).Length);
            }
            catch (FormatError) { Interlocked.Increment(ref refused); }
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
            File.Delete(path);
        }, iter: 3000);
        Assert.True(refused > 1000, $"only {refused} of 3000 mutated files were refused: the mutations do not reach the header");
    }

    [Theory]
    [InlineData("[]", 0, "does not begin with '{'")]
    [InlineData("{", 0, "not valid JSON")]
    [InlineData("{}x", 0, "not valid JSON")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "needs 8 bytes")]
    [InlineData("{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "unknown dtype 'F33'")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 2, "ends at byte 4 of a data section of 2")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 2, "the data section has 2 bytes")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, "overlaps")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, "belong to no tensor")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 1,
        "occurs twice")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, "not an integer")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[1.5],\"data_offsets\":[0,1]}}", 1, "not an integer")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,0]}}", 0, "too large")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":[[[[1]]]]}}", 1, "unknown, repeated or wrongly typed")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[[[[1]]]],\"data_offsets\":[0,1]}}", 1, "not")]
    [InlineData("{\"__metadata__\":{\"a\":1}}", 0, "not a string")]
    public void Faulty_headers_are_named(string json, int dataBytes, string expected) =>
        Assert.Contains(expected, Refusal(Raw(json, dataBytes)), StringComparison.Ordinal);

    [Fact]
    public void Faulty_lengths_are_named()
    {
        Assert.Contains("3 bytes", Refusal([1, 2, 3]), StringComparison.Ordinal);
        Assert.Contains("0 bytes", Refusal([]), StringComparison.Ordinal);
        byte[] huge = Raw("{}", 0);
        BinaryPrimitives.WriteUInt64LittleEndian(huge, ulong.MaxValue);
        Assert.Contains("the header claims 18446744073709551615 bytes", Refusal(huge), StringComparison.Ordinal);
        BinaryPrimitives.WriteUInt64LittleEndian(huge, 99_000_000);
        Assert.Contains("has only 2", Refusal(huge), StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_files_folders_and_names_are_format_errors()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("no such file", Assert.Throws<FormatError>(() => SafetensorsFile.Open(folder["none"])).Message, StringComparison.Ordinal);
        Assert.Throws<FormatError>(() => SafetensorsFile.Open(folder.Path));
        Assert.Throws<FormatError>(() => SafetensorsFile.Open(""));
        var writer = new SafetensorsWriter();
        writer.Add("layers.0.weight", "U8", [1], new byte[1]);
        writer.Save(folder["a"]);
        using var file = SafetensorsFile.Open(folder["a"]);
        Assert.Contains("closest: layers.0.weight", Assert.Throws<FormatError>(() => file["layers.0.bias"]).Message, StringComparison.Ordinal);
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { _ = file.Bytes("layers.0.weight").Length; });
    }

    [Fact]
    public void A_callback_of_the_wrong_length_leaves_the_old_file()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a"], "old");
        foreach (int wrong in new[] { 3, 5 })
        {
            var writer = new SafetensorsWriter();
            writer.Add("w", "F32", [1], stream => stream.Write(new byte[wrong]));
            Assert.Contains("needs 4", Assert.Throws<InvalidOperationException>(() => writer.Save(folder["a"])).Message, StringComparison.Ordinal);
        }
        Assert.Equal("old", File.ReadAllText(folder["a"]));
        Assert.Single(Directory.GetFiles(folder.Path));
    }
}
