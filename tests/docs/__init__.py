"""The docs say what the code does, and their commands run."""
