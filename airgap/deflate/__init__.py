"""Gzip opened into plain bytes and a recipe, and rebuilt from them bit for bit."""
