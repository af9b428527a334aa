"""An image of a Docker Engine's store as a source, for another engine."""

from __future__ import annotations

import contextlib
import errno
import tempfile
from collections.abc import Iterator
from typing import Any

from slimpy.engine.docker_errors import translated
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.errors import DiskFullError
from slimpy.image.docker_archives import open_docker
from slimpy.image.members import TarFiles
from slimpy.image.oci import ImageSource
from slimpy.model import Image

_PIECE = 1 << 20


@contextlib.contextmanager
def exported(client: Any, image: Image) -> Iterator[ImageSource]:
    """The image as the engine saves it, in a nameless temporary file: its parts are read in any
    order, but come in one stream.

    Args:
        client: the SDK's.

    Raises:
        EngineLostError: the engine failed.
        DiskFullError: there is no space for it here.
    """
    with tempfile.TemporaryFile() as file:
        with translated(f"saving the image {image.reference}"):
            stream = client.api.get_image(image.id, chunk_size=_PIECE)
        try:
            with translated(f"saving the image {image.reference}"):
                for data in stream:
                    INTERRUPTS.check()
                    file.write(data)
            file.flush()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            message = f"There is no space here for the image {image.reference}."
            raise DiskFullError(message, hint="Set TMPDIR to a directory with space.") from error
        yield open_docker(TarFiles(file, image.reference), "", None, image.reference)
