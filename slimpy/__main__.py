"""``python -m slimpy`` is ``slim``."""

from slimpy.cli import main

main()
