#:property PublishAot=false
#:property RestorePackagesWithLockFile=false
#:property ManagePackageVersionsCentrally=false
// Opens every package of a folder and asserts what a user relies on: licence, readme, XML docs, symbols, SourceLink.
// Usage: dotnet run .ci/CheckPackages.cs FOLDER ID…
using System.IO.Compression;
using System.Reflection.Metadata;
using System.Text;
using System.Xml.Linq;

if (args.Length < 2)
{
    Console.Error.WriteLine("usage: dotnet run .ci/CheckPackages.cs FOLDER ID…");
    return 2;
}
string folder = args[0];
string[] expected = [.. args[1..].Order(StringComparer.Ordinal)];
int broken = 0;

string[] packages = [.. Directory.EnumerateFiles(folder, "*.nupkg").Order(StringComparer.Ordinal)];
string[] ids = [.. packages.Select(path => Nuspec(ZipFile.OpenRead(path), "id")).Order(StringComparer.Ordinal)];
Check(ids.SequenceEqual(expected), $"{folder} holds {string.Join(", ", ids)}; expected {string.Join(", ", expected)}");

foreach (string path in packages)
{
    using var package = ZipFile.OpenRead(path);
    string id = Nuspec(package, "id");
    Check(Nuspec(package, "license") == "MIT", $"{id}: the licence expression is '{Nuspec(package, "license")}', not MIT");
    Check(Text(package, "LICENSE").Contains("MIT License", StringComparison.Ordinal), $"{id}: no LICENSE with the MIT licence's text");
    Check(Nuspec(package, "readme") == "README.md" && Text(package, "README.md").Length > 0, $"{id}: no readme, or an empty one");
    Check(Nuspec(package, "description").Length > 0, $"{id}: no description");
    Check(Find(package, $"lib/net10.0/{id}.dll") is not null, $"{id}: no lib/net10.0/{id}.dll");

    string docs = Text(package, $"lib/net10.0/{id}.xml");
    Check(docs.Length > 0 && XDocument.Parse(docs).Descendants("assembly").Any(), $"{id}: no XML docs");

    string symbols = Path.ChangeExtension(path, ".snupkg");
    Check(File.Exists(symbols), $"{id}: no symbol package {symbols}");
    if (!File.Exists(symbols)) continue;
    using var symbolPackage = ZipFile.OpenRead(symbols);
    var pdb = Find(symbolPackage, $"lib/net10.0/{id}.pdb");
    Check(pdb is not null, $"{id}: no {id}.pdb in the symbol package");
    string repository = (string?)NuspecElement(package, "repository")?.Attribute("url") ?? "";
    string link = pdb is null ? "" : SourceLink(pdb);
    // A repository without an address, such as a clone of a folder, has nothing to link to.
    if (repository.Contains("github.com", StringComparison.Ordinal))
        Check(link.Contains("raw.githubusercontent.com", StringComparison.Ordinal), $"{id}: its symbols carry no SourceLink to {repository}");
    string linked = link.Length > 0 ? link : "none, the repository has no remote";
    Console.WriteLine($"{Path.GetFileName(path)}: {package.Entries.Count} files, SourceLink: {linked}");
}
Console.WriteLine(broken == 0 ? $"{packages.Length} packages are complete." : $"{broken} faults.");
return broken == 0 ? 0 : 1;

void Check(bool holds, string fault)
{
    if (holds) return;
    broken++;
    Console.WriteLine($"FAULT {fault}");
}

static ZipArchiveEntry? Find(ZipArchive archive, string name) => archive.Entries.FirstOrDefault(entry => entry.FullName == name);

static string Text(ZipArchive archive, string name)
{
    if (Find(archive, name) is not { } entry) return "";
    using var reader = new StreamReader(entry.Open(), Encoding.UTF8);
    return reader.ReadToEnd();
}

static XElement? NuspecElement(ZipArchive package, string name)
{
    var entry = package.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal));
    return XDocument.Parse(Text(package, entry.FullName)).Descendants().FirstOrDefault(element => element.Name.LocalName == name);
}

static string Nuspec(ZipArchive package, string name) => NuspecElement(package, name)?.Value ?? "";

static string SourceLink(ZipArchiveEntry entry)
{
    var sourceLink = new Guid("CC110556-A091-4D38-9FEC-25AB9A351A6A");
    var memory = new MemoryStream();
    using (var stream = entry.Open()) stream.CopyTo(memory);
    memory.Position = 0;
    using var provider = MetadataReaderProvider.FromPortablePdbStream(memory);
    var reader = provider.GetMetadataReader();
    foreach (var handle in reader.CustomDebugInformation)
    {
        var information = reader.GetCustomDebugInformation(handle);
        if (reader.GetGuid(information.Kind) == sourceLink) return Encoding.UTF8.GetString(reader.GetBlobBytes(information.Value));
    }
    return "";
}
