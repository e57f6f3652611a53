"""The vocabulary: digests, references, descriptors, platforms, manifests. Pure, without I/O."""
