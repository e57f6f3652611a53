"""The local store: an OCI image layout on disk, with a catalog that knows what is in it."""
