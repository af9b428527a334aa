"""Every way slimpy can fail, on one page: what it says and the exit code it owns.

A message is one sentence that says what happened and why; ``hint`` says what to try. Libraries
raise,
only the command line prints and exits. README's table of exit codes is compared with this file by
a test.
"""

from __future__ import annotations

from typing import ClassVar


class SlimError(Exception):
    """The base of all foreseen failures; anything else is a bug (exit code 1).

    Args:
        message: one sentence: what happened, and why.
        hint: what the user can try next; may be empty.
        details: further lines to show as they are, such as an app's last log lines.
    """

    exit_code: ClassVar[int] = 1
    meaning: ClassVar[str] = (
        "internal error: a bug in slimpy; of `lint` and `diff`: there is something to tell"
    )

    def __init__(self, message: str, *, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details


class UsageError(SlimError):
    """An option or an argument cannot be used as given."""

    exit_code = 2
    meaning = "an option or argument is wrong"


class EngineUnavailableError(SlimError):
    """No container engine answers."""

    exit_code = 3
    meaning = "no container engine answers"


class ImageNotFoundError(SlimError):
    """The image is neither in the engine's store nor can it be pulled."""

    exit_code = 4
    meaning = "the image does not exist and cannot be pulled"


class PlatformError(SlimError):
    """The image is for another architecture or operating system than the engine's."""

    exit_code = 5
    meaning = "the image is for another architecture or operating system"


class AppExitedError(SlimError):
    """The app ended while it should have been serving."""

    exit_code = 6
    meaning = "the app in the original image ended too early"


class ContainerStartError(AppExitedError):
    """The engine could not even start the container: entrypoint missing, profile refused, runtime
    error.
    """


class AppNotReadyError(SlimError):
    """The app never listened, or never answered, within the deadline."""

    exit_code = 7
    meaning = "the app in the original image never listened or never answered"


class ProbeFailedError(SlimError):
    """The original image itself does not pass its probes, so there is nothing to prove."""

    exit_code = 8
    meaning = "the original image fails its own probes (only 5xx, or an expectation not met)"


class ProbeFileError(SlimError):
    """A probe file cannot be read; the message names file, line and key."""

    exit_code = 9
    meaning = "the probe file has an error"


class OutputError(SlimError):
    """A report or an archive cannot be written."""

    exit_code = 10
    meaning = "a report or archive cannot be written"


class DiskFullError(SlimError):
    """There is no space left, here or at the engine."""

    exit_code = 11
    meaning = "no space left on the device"


class EngineLostError(SlimError):
    """The engine stopped answering, or a container of ours vanished, in the middle of the work."""

    exit_code = 12
    meaning = "the container engine failed in the middle of the work"


class VerificationError(SlimError):
    """The slim image does not answer like the original; it was not tagged."""

    exit_code = 13
    meaning = "the slim image does not answer like the original, so it was not tagged"


class PackError(SlimError):
    """The kept files cannot be packed."""

    exit_code = 14
    meaning = "the kept files cannot be packed"


class TraceError(SlimError):
    """The tracer is missing, was refused, or lost sight of the app."""

    exit_code = 15
    meaning = "the app could not be traced to its end"


class ReportError(SlimError):
    """A report directory does not hold what is asked of it."""

    exit_code = 16
    meaning = "the report cannot be read, or says nothing of that path"


class ProgramError(SlimError):
    """A program of this machine is missing, failed, or took too long."""

    exit_code = 17
    meaning = "a program of this machine is missing, failed, or took too long"


class SourceError(SlimError):
    """An image outside an engine (an archive, a layout, a registry) cannot be read or written."""

    exit_code = 18
    meaning = "an archive, a layout or a registry cannot be read or written as asked"


class RegistryDeniedError(SourceError):
    """A registry wants a login, or does not let this one do what was asked."""

    exit_code = 19
    meaning = "a registry asks for a login, or refuses this one"


class DockerfileError(SlimError):
    """A Dockerfile cannot be read, or is none."""

    exit_code = 20
    meaning = "a Dockerfile cannot be read, or is none"


class ThresholdError(SlimError):
    """An image breaks a threshold that `slim xray` or `slim scan` was given."""

    exit_code = 21
    meaning = "an image breaks a threshold of `xray` or `scan`"


FOUND = 1
"""Exit code of verbs that compare or judge, if there is something to tell, as diff and grep have
it.
"""

INTERRUPTED = 130
"""Exit code after Ctrl-C (128 + SIGINT), as shells have it."""

UNREAD = 141
"""Exit code when nobody reads the output any more (128 + SIGPIPE), as shells have it."""
