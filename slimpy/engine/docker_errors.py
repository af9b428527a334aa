"""Docker's and its transport's exceptions as ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from slimpy.errors import DiskFullError, EngineLostError, SlimError

_DISK_FULL = "no space left on device"


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn exceptions of the SDK into ours; ImageNotFound and client errors (4xx) pass, callers
    know them better.

    Args:
        doing: what was under way, as in "The engine failed while DOING".
    """
    try:
        yield
    except ImageNotFound:
        raise
    except NotFound as error:
        message = f"Something of ours vanished from the engine while {doing}: {error.explanation}."
        raise EngineLostError(
            message, hint="Was the engine cleaned up meanwhile? Run the command again."
        ) from error
    except APIError as error:
        if _DISK_FULL in str(error).lower():
            raise disk_full(doing) from error
        if error.is_client_error():
            raise
        message = f"The engine failed while {doing}: {_plain(error)}."
        raise EngineLostError(message, hint="Look at the engine's own log.") from error
    except (DockerException, requests.RequestException, ConnectionError, TimeoutError) as error:
        message = f"The engine stopped answering while {doing}."
        raise EngineLostError(message, hint="Is it still running? docker info") from error


def disk_full(doing: str) -> SlimError:
    """The engine's disk is full."""
    message = f"There is no space left at the engine while {doing}."
    return DiskFullError(message, hint="Free some: docker system df shows what takes it.")


def load_failed(text: str) -> SlimError:
    """The engine read the archive and refused it."""
    if _DISK_FULL in text.lower():
        return disk_full("loading the slim image")
    message = f"The engine refused the slim image: {text[:300]}."
    return EngineLostError(message, hint="Look at the engine's own log.")


def pull_reason(error: Exception) -> str:
    """Why a pull failed, short."""
    return _plain(error)


def _plain(error: Exception) -> str:
    text = getattr(error, "explanation", None) or str(error)
    return " ".join(str(text).split())[:300].rstrip(".")
