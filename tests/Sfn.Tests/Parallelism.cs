// The memory counters are per process: a test that asserts that live bytes return to their baseline must run alone.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
