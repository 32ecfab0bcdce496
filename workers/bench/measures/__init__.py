"""The benchmarks, one a file: what is measured, in which order, and how it is shown."""
