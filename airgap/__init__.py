"""Carry container images across an air gap: mirror, pack, verify, load and push, bit for bit."""

__version__ = "0.1.0"
