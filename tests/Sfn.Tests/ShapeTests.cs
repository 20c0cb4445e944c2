namespace Sfn.Tests;

public class ShapeTests
{
    [Fact]
    public void Placeholder() => Assert.Equal(2, 1 + 1);
}
