"""Ways to sort the shelf; each a module that is loaded when it is asked for."""
