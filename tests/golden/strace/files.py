"""Python's own calls on files and sockets. Run in an empty directory, its path as argument."""

# The calls themselves are what matters.
# ruff: noqa: PTH102, PTH104, PTH106, PTH108, PTH123, PTH208

import contextlib
import os
import socket
import subprocess
import sys

here = os.fsencode(sys.argv[1])
odd = b'a\nb<c>"d\\e\xe9\xff1, = -1 EFAKE (x) #'

os.mkdir(here + b"/" + odd)
with open(here + b"/" + odd + b"/\xc3\xa9", "wb") as stream:
    stream.write(b'2 open("/forged", O_RDONLY) = 3\n')
os.rename(here + b"/" + odd + b"/\xc3\xa9", here + b"/plain (deleted)")
with open(here + b"/plain (deleted)", "rb") as stream:
    stream.read()
os.listdir(here)
directory = os.open(here + b"/" + odd, os.O_RDONLY | os.O_DIRECTORY)
with contextlib.suppress(OSError):
    os.stat(b"\x01" + b"9" * 3, dir_fd=directory)
os.fchdir(directory)
os.rmdir(here + b"/" + odd)
with contextlib.suppress(OSError):
    os.open("in-deleted-directory", os.O_RDONLY)
os.chdir(here)
os.unlink("plain (deleted)")

stream = socket.socket()
stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
stream.bind(("127.0.0.1", 0))
stream.listen()
stream.getsockname()
six = socket.socket(socket.AF_INET6)
six.bind(("::1", 0))
six.getsockname()
six.listen()
datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagram.bind(("0.0.0.0", 0))
datagram.getsockname()
idle = socket.socket()
idle.bind(("127.0.0.1", 0))
idle.getsockname()
implicit = socket.socket()
implicit.listen()
implicit.getsockname()
local = socket.socket(socket.AF_UNIX)
local.bind(b"l\xffcal.sock")
local.listen()
os.unlink(b"l\xffcal.sock")
ports = [item.getsockname()[1] for item in (stream, six, datagram)]
subprocess.run(["true"], check=True)
print(*ports)
