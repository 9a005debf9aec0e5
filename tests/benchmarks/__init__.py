"""Speed and parity, measured side by side: `python -m tests.benchmarks --help`."""
