namespace Sfn.Nn;

/// <summary>A model configuration that cannot be built. The message says which size is wrong and the nearest that works, in one line.</summary>
public sealed class ConfigError(string message) : ArgumentException(message);
