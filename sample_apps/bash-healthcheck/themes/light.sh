# Dark letters on white.
colour=#222
background=#fff
