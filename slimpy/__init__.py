"""slimpy: make container images small, non-root and confined, and prove that they still work."""

__version__ = "0.1.0"
