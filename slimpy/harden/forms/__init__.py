"""The same restrictions in the forms that people deploy: one file for each, as text."""
