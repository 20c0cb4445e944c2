using System.Globalization;

namespace Sfn.Cli.Display;

/// <summary>Numbers as people read them.</summary>
internal static class Numbers
{
    /// <summary>1,234,567.</summary>
    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>The shortest text of a setting: 0.0003 as 3e-4, 0.98 as 0.98.</summary>
    public static string Short(double value)
    {
        // float settings come in as doubles: 0.98f is 0.98000001907…
        string text = ((float)value).ToString("R", CultureInfo.InvariantCulture);
        if (value == 0 || Math.Abs(value) >= 0.01 || text.Contains('E')) return text.Replace("E-0", "e-").Replace("E", "e");
        int exponent = (int)Math.Floor(Math.Log10(Math.Abs(value)));
        string digits = ((decimal)(float)value / Power(exponent)).ToString("0.#####", CultureInfo.InvariantCulture);
        return $"{digits}e{exponent}";
    }

    /// <summary>1234567 as 1.235 M; below a thousand the number itself.</summary>
    public static string Metric(double value)
    {
        string[] units = ["", " k", " M", " G", " T"];
        int unit = 0;
        while (Math.Abs(value) >= 999.95 && unit < units.Length - 1)
        {
            value /= 1000;
            unit++;
        }
        return value.ToString(unit == 0 ? "0.#" : Math.Abs(value) < 100 ? "0.00" : "0.0", CultureInfo.InvariantCulture) + units[unit];
    }

    /// <summary>Millions, as the paper prints sizes: 109.6 M, 90.17 M.</summary>
    public static string Millions(long value) => (value / 1e6).ToString(value < 100_000_000 ? "0.00" : "0.0", CultureInfo.InvariantCulture) + " M";

    /// <summary>1.695e18.</summary>
    public static string Scientific(double value) => value.ToString("0.000e0", CultureInfo.InvariantCulture);

    /// <summary>A time span as 12 s, 1:52 or 3:07:30; longer than four days as days.</summary>
    public static string Time(double seconds)
    {
        if (!double.IsFinite(seconds) || seconds < 0) return "?";
        if (seconds < 60) return seconds.ToString(seconds < 10 ? "0.0" : "0", CultureInfo.InvariantCulture) + " s";
        if (seconds > 4 * 86_400) return (seconds / 86_400).ToString("0.0", CultureInfo.InvariantCulture) + " days";
        long whole = (long)Math.Round(seconds);
        return whole < 3600 ? $"{whole / 60}:{whole % 60:00}" : $"{whole / 3600}:{whole / 60 % 60:00}:{whole % 60:00}";
    }

    private static decimal Power(int exponent)
    {
        decimal power = 1;
        for (int i = 0; i < -exponent; i++) power /= 10;
        return power;
    }
}
