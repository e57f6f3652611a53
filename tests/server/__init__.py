"""Tests of the embedded registry."""
