# White letters on dark.
colour=#eee
background=#222
