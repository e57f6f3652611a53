"""The config file: its typed model, and loading it with errors that say where they are."""
