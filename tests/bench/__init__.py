"""Benchmarks: figures beside a peer in the same run; they assert nothing about time."""
