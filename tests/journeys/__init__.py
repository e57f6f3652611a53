"""Whole journeys, by command, with real registries and real tools on both sides."""
