using Sfn.Nn;
using Sfn.Train;

namespace Sfn.Tests.Train;

public class ScheduleTests
{
    [Fact]
    public void Cosine_warms_up_in_a_line_and_ends_at_the_minimum()
    {
        static float At(long step) => Schedule.Cosine(step, peak: 1f, warmup: 10, total: 110, min: 0.1f);
        Assert.Equal(0.1f, At(0), 1e-7f);
        Assert.Equal(0.5f, At(4), 1e-7f);
        Assert.Equal(1f, At(9));
        Assert.Equal(1f, At(10));
        Assert.Equal(0.55f, At(60), 1e-6f);
        Assert.Equal(0.1f, At(110), 1e-7f);
        Assert.Equal(0.1f, At(1000), 1e-7f);
        for (long step = 10; step < 110; step++) Assert.True(At(step + 1) < At(step));
        Assert.Equal(0.06f, Schedule.Cosine(100, 0.6f, 0, 100), 1e-7f);
    }

    [Fact]
    public void Linear_and_constant()
    {
        Assert.Equal(0.55f, Schedule.Linear(60, 1f, 10, 110, 0.1f), 1e-6f);
        Assert.Equal(0.1f, Schedule.Linear(500, 1f, 10, 110, 0.1f), 1e-7f);
        Assert.Equal(0.5f, Schedule.Constant(4, 1f, 10), 1e-7f);
        Assert.Equal(1f, Schedule.Constant(400, 1f, 10));
        Assert.Equal(1f, Schedule.Constant(0, 1f));
    }

    [Fact]
    public void Every_preset_has_training_settings()
    {
        foreach (string name in TransformerConfig.PresetNames)
        {
            var preset = RunPreset.Of(name);
            Assert.Equal(TransformerConfig.Preset(name), preset.Model);
            Assert.True(preset.Warmup < preset.Steps && preset.MinLearningRate < preset.LearningRate);
        }
        Assert.Throws<ConfigError>(() => RunPreset.Of("huge"));
    }
}
