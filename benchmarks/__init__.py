"""The benchmarks as this repository keeps them: run in a row, and written into docs/performance.md."""
