using Spectre.Console;

namespace Sfn.Cli.Display;

/// <summary>Standard output as a place for tables and live displays. Made on first use: a command that prints plain text does not pay for it.</summary>
internal static class Terminal
{
    private static readonly Lazy<IAnsiConsole> s_out = new(Create);

    /// <summary>The console. Redirected, it writes plain text without control characters, as wide as the content needs.</summary>
    public static IAnsiConsole Out => s_out.Value;

    /// <summary>Whether a display that redraws itself makes sense: a person looks at a terminal that can move its cursor.</summary>
    public static bool IsLive => !Console.IsOutputRedirected && Out.Profile.Capabilities.Ansi && Out.Profile.Capabilities.Interactive;

    private static IAnsiConsole Create()
    {
        bool redirected = Console.IsOutputRedirected;
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
        });
        if (redirected) console.Profile.Width = 200;
        return console;
    }
}
