"""Signatures that others put on images: who signed, and what. Pure, without I/O."""
