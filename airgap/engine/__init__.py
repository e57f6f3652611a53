"""The Docker Engine, and whatever speaks its API, as one more place that holds images."""
