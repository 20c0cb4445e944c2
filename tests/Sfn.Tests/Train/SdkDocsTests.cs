using System.Text;
using Sfn.Train;

namespace Sfn.Tests.Train;

public class SdkDocsTests
{
    private static string Pack(TemporaryFolder folder, string version, string xml)
    {
        string path = folder[Path.Combine("packs", "Microsoft.NETCore.App.Ref", version, "ref", "net10.0")];
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "A.xml"), $"<?xml version=\"1.0\"?><doc><assembly><name>A</name></assembly><members>{xml}</members></doc>");
        return path;
    }

    private static string Types(int count)
    {
        var xml = new StringBuilder();
        for (int i = 0; i < count; i++)
        {
            xml.Append($"<member name=\"T:N.Type{i}\"><summary>The type number {i}.</summary></member>");
            xml.Append($"<member name=\"T:N.Type{i}.Nested`1\"><summary>Inside.</summary></member>");
            xml.Append($"<member name=\"T:N.Type{i}`2\"><summary>The generic one.</summary></member>");
            xml.Append($"<member name=\"M:N.Type{i}.Run(System.Int32,System.Collections.Generic.List{{System.String[]}}@)\"><summary>Runs.</summary>");
            xml.Append("<param name=\"a\">First.</param><param name=\"b\">Second.</param></member>");
            xml.Append($"<member name=\"P:N.Type{i}.Nested`1.Size\"><summary>Gets the size.</summary></member>");
        }
        return xml.ToString();
    }

    [Fact]
    public void A_member_becomes_plain_text()
    {
        using var folder = new TemporaryFolder();
        string path = Pack(folder, "10.0.1", """
            <member name="M:System.String.Copy``1(System.String,``0[0:,0:],System.Nullable{System.Int32})">
              <summary>Copies  <paramref name="str" />
                 to a new <see cref="T:System.Span`1" />, see <see langword="null" /> &amp; <c>x &lt; y</c>.<para>Done.</para></summary>
              <typeparam name="TItem">An item.</typeparam>
              <param name="str">The text.</param>
              <param name="items">All items.</param>
              <param name="n">A <see cref="M:System.Int32.Parse(System.String)" /> number.</param>
              <returns>The copy.</returns>
              <exception cref="T:System.ArgumentNullException"><paramref name="str" /> is <see langword="null" />.</exception>
            </member>
            <member name="M:System.Decimal.op_Implicit(System.Int32)~System.Decimal"><summary>Converts.</summary><param name="value">A number.</param></member>
            <member name="M:System.Text.Rune.#ctor(System.Char)"><summary>Makes one.</summary></member>
            <member name="M:System.Foo.System#IDisposable#Dispose"><summary>Ends.</summary></member>
            <member name="P:System.List`1.Item(System.Int32)"><summary>Gets an item.</summary></member>
            <member name="T:System.Map`2"><summary>A map.</summary><typeparam name="TKey">Key.</typeparam><typeparam name="TValue">Value.</typeparam></member>
            <member name="F:System.Foo.Silent" />
            """);
        var records = SdkDocs.Read(path, 0.000001);
        Assert.Equal(
        [
            "method System.String.Copy<TItem>(String str, TItem[,] items, Nullable<Int32> n)\nCopies str to a new Span, see null & x < y. Done.\n" +
            "TItem: An item.\nstr: The text.\nitems: All items.\nn: A Parse number.\nReturns: The copy.\nThrows ArgumentNullException: str is null.",
            "operator System.Decimal.Implicit(Int32 value) to Decimal\nConverts.\nvalue: A number.",
            "constructor System.Text.Rune(Char)\nMakes one.",
            "method System.Foo.System.IDisposable.Dispose()\nEnds.",
            "property System.List<T>.Item[Int32]\nGets an item.",
            "class/struct System.Map<TKey, TValue>\nA map.\nTKey: Key.\nTValue: Value.",
        ], records.Training);
    }

    [Fact]
    public void Validation_takes_whole_types_and_no_record_is_in_both()
    {
        using var folder = new TemporaryFolder();
        string path = Pack(folder, "10.0.1", Types(400));
        var records = SdkDocs.Read(path, 0.2);
        Assert.Equal(400, records.Types);
        Assert.InRange(records.ValidationTypes, 50, 110);
        Assert.Equal(5 * 400, records.Training.Count + records.Validation.Count);
        Assert.Empty(records.Training.Intersect(records.Validation));
        static int Number(string record) =>
            int.Parse(record[(record.IndexOf("N.Type", StringComparison.Ordinal) + 6)..].TakeWhile(char.IsAsciiDigit).ToArray());
        Assert.Empty(records.Training.Select(Number).Intersect(records.Validation.Select(Number)));
        Assert.All(records.Validation.GroupBy(Number), type => Assert.Equal(5, type.Count()));
        var again = SdkDocs.Read(path, 0.2);
        Assert.Equal(records.Validation, again.Validation);
    }

    [Fact]
    public void Equal_records_appear_once_and_only_in_training()
    {
        using var folder = new TemporaryFolder();
        // As when a member is documented in two assemblies.
        string twice = Types(50) + Types(50);
        var records = SdkDocs.Read(Pack(folder, "1.0.0", twice), 0.5);
        Assert.Equal(250, records.Training.Count + records.Validation.Count);
        Assert.Equal(250, records.Training.Concat(records.Validation).Distinct().Count());
    }

    [Fact]
    public void The_newest_release_with_documentation_is_found()
    {
        using var folder = new TemporaryFolder();
        foreach (string version in new[] { "9.0.11", "10.0.2", "10.0.0", "10.0.3-preview.1" }) Pack(folder, version, "");
        Assert.Equal("10.0.3-preview.1", SdkFolder.FindBelow(folder.Path)!.Version);
        Pack(folder, "10.0.3", "");
        Directory.CreateDirectory(folder[Path.Combine("packs", "Microsoft.NETCore.App.Ref", "11.0.0", "ref", "net11.0")]);
        Assert.Equal("10.0.3", SdkFolder.FindBelow(folder.Path)!.Version);
        Assert.Null(SdkFolder.FindBelow(folder["packs"]));
    }

    [Fact]
    public void A_damaged_cache_is_made_again()
    {
        using var folder = new TemporaryFolder();
        var found = new SdkFolder.Found(Pack(folder, "10.0.1", Types(100)), "10.0.1");
        var first = SdkDocs.Load(found, folder["cache"]);
        string file = Assert.Single(Directory.GetFiles(folder["cache"]));
        byte[] good = File.ReadAllBytes(file);
        Directory.Delete(found.Path, recursive: true);
        Assert.Equal(first.Training, SdkDocs.Load(found, folder["cache"]).Training);
        Pack(folder, "10.0.1", Types(100));
        foreach (byte[] bad in new[] { [], good[..100], [.. good[..^1], (byte)(good[^1] ^ 1)] })
        {
            File.WriteAllBytes(file, bad);
            var again = SdkDocs.Load(found, folder["cache"]);
            Assert.Equal(first.Training, again.Training);
            Assert.Equal(first.Validation, again.Validation);
            Assert.Equal(good, File.ReadAllBytes(file));
        }
    }

    [Fact]
    public void The_real_documentation_has_no_validation_record_in_training()
    {
        // The tests run with an SDK; a machine that has only a runtime must be told about --data.
        if (SdkFolder.Find() is not { } found)
        {
            Assert.Contains("--data", Assert.Throws<InputError>(() => SdkDocs.Load()).Message, StringComparison.Ordinal);
            return;
        }
        var records = SdkDocs.Read(found.Path);
        Assert.Empty(records.Training.Intersect(records.Validation));
        Assert.Equal(records.Training.Count, records.Training.Distinct().Count());
        Assert.Equal(records.Validation.Count, records.Validation.Distinct().Count());
        Assert.InRange(records.ValidationTypes / (double)records.Types, 0.04, 0.06);
        Assert.True(records.Training.Sum(r => (long)Encoding.UTF8.GetByteCount(r)) > 10_000_000);
        Assert.DoesNotContain(records.Validation, r => r.Contains("\n\n", StringComparison.Ordinal) || r.Contains("<see", StringComparison.Ordinal));
    }
}
