"""How a probe can fail. The caller turns these into its own errors and exit codes."""

from __future__ import annotations

from collections.abc import Sequence

from probes.model import Activity


class ProbeError(Exception):
    """The base: the app did not behave, or a plan cannot be used.

    Args:
        message: one sentence: what happened, and why.
        hint: what the user can try next; may be empty.
        log: the app's last log lines, to be shown as they are.
    """

    def __init__(self, message: str, *, hint: str = "", log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.log = tuple(log)
        self.activity: Activity | None = None  # what a tracer saw until then, set by the caller


class AppExited(ProbeError):  # noqa: N818  # what happened, not whose fault it is
    """The app ended while it should have been serving; ``code`` is its exit code."""

    def __init__(self, code: int, *, log: Sequence[str] = ()) -> None:
        super().__init__(
            f"The app ended with exit code {code} before it was ready.",
            hint="For a command-line image say what to run (--run); else see the last lines.",
            log=log,
        )
        self.code = code


class NeverReady(ProbeError):  # noqa: N818
    """Nothing listened, or nothing answered as it should, before the deadline."""


class OnlyErrors(ProbeError):  # noqa: N818
    """No HTTP request was answered below 500, so the probes show nothing of a working app."""


class NeedsPorts(ProbeError):  # noqa: N818
    """The app listens on ports that are not published: start it again with ``ports`` published."""

    def __init__(self, ports: Sequence[int], *, log: Sequence[str] = ()) -> None:
        self.ports = tuple(sorted(ports))
        names = ", ".join(map(str, self.ports))
        super().__init__(
            f"The app listens on {names}, which cannot be reached from outside its container.",
            hint="Name the port to probe (--port), or EXPOSE it in the image.",
            log=log,
        )


class PlanError(ProbeError):
    """A probe file or a probe flag cannot be used.

    Args:
        file: the file's name, or the flag.
        line: counted from 1; None where it is not known.
        key: the path of the key, such as ``http[2].expect.status``; empty for the whole document.
        message: what is wrong, as a sentence without a full stop.
    """

    def __init__(
        self, file: str, line: int | None, key: str, message: str, *, hint: str = ""
    ) -> None:
        place = f"{file}:{line}" if line else file
        super().__init__(
            f"{place}: {key}: {message}." if key else f"{place}: {message}.", hint=hint
        )
        self.file = file
        self.line = line
        self.key = key
        self.problem = message
