using System.Xml;
using Sfn.Train;

namespace Sfn.Tests.Train;

public class MetricsTests
{
    [Fact]
    public void The_log_keeps_what_was_written_and_forgets_what_a_resumed_run_makes_again()
    {
        using var folder = new TemporaryFolder();
        using (var log = MetricsLog.Open(folder["m.jsonl"]))
        {
            for (int step = 1; step <= 10; step++) log.Append(new MetricsEntry { Step = step, Loss = 5.0 / step, ValLoss = step == 5 ? double.NaN : null });
            // Readable while the run goes on.
            Assert.Equal(10, MetricsLog.Read(folder["m.jsonl"]).Count);
        }
        Assert.Equal("{\"step\":2,\"tokens\":0,\"loss\":2.5}", File.ReadAllLines(folder["m.jsonl"])[1]);
        File.AppendAllText(folder["m.jsonl"], "{\"step\":11,\"lo");
        using (var log = MetricsLog.Open(folder["m.jsonl"], resumeStep: 6))
        {
            Assert.Equal(6, log.Entries.Count);
            log.Append(new MetricsEntry { Step = 7, LearningRate = 0.5 });
        }
        var entries = MetricsLog.Read(folder["m.jsonl"]);
        Assert.Equal([1L, 2, 3, 4, 5, 6, 7], entries.Select(e => e.Step));
        Assert.Equal(double.NaN, entries[4].ValLoss);
        Assert.Equal((null, 0.5), (entries[6].Loss, entries[6].LearningRate));
        File.WriteAllText(folder["m.jsonl"], "nonsense\n{\"step\":1}\n");
        Assert.Contains("line 1", Assert.Throws<FormatError>(() => MetricsLog.Read(folder["m.jsonl"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_chart_is_well_formed_whatever_the_run_held()
    {
        static MetricsEntry Entry(long step, double? loss, double? validation = null) => new() { Step = step, Loss = loss, ValLoss = validation };
        MetricsEntry[][] runs =
        [
            [],
            [Entry(1, 5.5)],
            [Entry(1, 5.5), Entry(2, 5.5), Entry(3, 5.5, 5.5)],
            [Entry(1, double.NaN), Entry(2, double.PositiveInfinity), Entry(3, null, double.NaN)],
            [.. Enumerable.Range(1, 5000).Select(i => Entry(i, 5.0 / Math.Sqrt(i) + 1, i % 500 == 0 ? 2 : null)), Entry(5001, 1e30)],
        ];
        foreach (var run in runs)
        {
            string svg = LossChart.Svg("a <run> & its \"name\"", run, "sub\u0001title");
            var document = new XmlDocument();
            document.LoadXml(svg);
            Assert.Contains("a <run> & its \"name\"", document.InnerText, StringComparison.Ordinal);
            Assert.DoesNotContain("NaN", svg, StringComparison.Ordinal);
            Assert.True(svg.Length < 200_000);
        }
    }
}
