"""What travels smaller than it is: opened blobs, deltas, and the choice of what goes with what."""
