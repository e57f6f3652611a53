"""The distribution-spec client: one for every registry that a process talks to."""
