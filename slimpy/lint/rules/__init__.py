"""All rules of `slim lint`, one file for each subject."""

from __future__ import annotations

from slimpy.lint.finding import Rule
from slimpy.lint.rules import (
    accounts,
    base,
    caches,
    copying,
    failing,
    habits,
    multistage,
    order,
    packages,
    secrets,
    sent,
    starting,
    syntax,
)
from slimpy.lint.subject import Check

_SUBJECTS = (
    *(base, syntax, packages, caches, accounts, secrets, order, sent, copying, starting),
    *(multistage, habits, failing),
)

RULES: tuple[Rule, ...] = tuple(
    sorted((rule for each in _SUBJECTS for rule in each.RULES), key=lambda rule: rule.id)
)
"""Every rule, by its number."""

CHECKS: tuple[Check, ...] = tuple(check for each in _SUBJECTS for check in each.CHECKS)
"""What finds them."""
