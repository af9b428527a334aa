# Letters like those of a typewriter.
colour=#030
background=#efe
