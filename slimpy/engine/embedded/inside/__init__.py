"""What runs as a program of its own, below the namespaces: nothing here imports the rest of slimpy,
so that it starts in a few milliseconds.
"""
