"""What crosses the gap: the format, its layout as a tar, writing it, reading it, verifying it."""
