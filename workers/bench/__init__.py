"""The benchmarks: the gateway measured beside what the machine could do at best, as docs/performance.md tells."""
