"""The command line: one module a command group, and the rendering of what happens."""
