"""Looking around in an image, in a terminal: layers on the left, files on the right."""
