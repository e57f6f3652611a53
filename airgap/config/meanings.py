"""What each key is for, as the text below it in the source says.

Read when somebody asks, not when the model is imported: parsing the source takes longer than all
else that a short command does.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise

from airgap.config.section import Section


def meanings(section: type[Section]) -> dict[str, str]:
    """Return the text below each attribute of a section, those that it inherits included."""
    found: dict[str, str] = {}
    for level in reversed(section.__mro__):
        if issubclass(level, Section) and level is not Section:
            found |= _below_attributes(level)
    return found


def _below_attributes(section: type[Section]) -> dict[str, str]:
    module = ast.parse(textwrap.dedent(inspect.getsource(section)))
    statements = [
        body for node in module.body if isinstance(node, ast.ClassDef) for body in node.body
    ]
    return {
        attribute.target.id: " ".join(text.value.value.split())
        for attribute, text in pairwise(statements)
        if isinstance(attribute, ast.AnnAssign)
        and isinstance(attribute.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
