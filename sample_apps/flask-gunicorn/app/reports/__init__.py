"""Reports: each a module, loaded by its name when it is first asked for."""
