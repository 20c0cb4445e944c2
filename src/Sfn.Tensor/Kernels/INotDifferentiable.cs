namespace Sfn.Kernels;

/// <summary>Marks an op without a gradient, such as a comparison: recording it is an error, never a silent zero.</summary>
public interface INotDifferentiable;
