"""The Java runtime as a unit, and the jars of the class path.

A virtual machine opens its libraries, time zones, security settings and character sets when the
first call needs them, under its own directory; what an app calls is not to be seen without
running it. So the runtime is kept but for what belongs to compilers, desktops and documentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules.java_arguments import class_path
from slimpy.keep.rules.java_jars import manifest_class_path
from slimpy.keep.rules.reach import beside, files_below, is_directory, is_file, libraries_named
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.keep.turn import Finder, Turn
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule

_LIBRARIES = ("lib", "conf")
_HOME_MARKS = ("lib/modules", "lib/rt.jar", "lib/jrt-fs.jar")

_NEVER = re.compile(
    r"src\.zip|ct\.sym|jrt-fs\.jar|classes(_nocoops|_coh|_nocoops_coh)?\.jsa|classlist|jexec"
    r"|jar\.binfmt|.*\.(diz|a|o|debuginfo|pdb|lib|h|txt|md|html)|libsaproc\.so"
    r"|libj?awt_xawt\.so|libjawt\.so|libsplashscreen\.so|libjsound(alsa)?\.so|libprefs_gtk\.so"
    r"|tools\.jar|dt\.jar|jconsole\.jar|sa-jdi\.jar|packager\.jar|ant-javafx\.jar"
)
"""Files of a runtime for compilers, debuggers, desktops, or only there to start sooner."""

_NEVER_DIRECTORIES = frozenset(
    {
        *("jmods", "demo", "sample", "man", "include", "legal", "static", "missioncontrol"),
        *("visualvm", "svm", "installer", "oblique-fonts", "deploy", "desktop", "plugin2"),
    }
)

_ARCHIVES = (".jar", ".war", ".zip")
_FONTS = re.compile(r"libfontconfig\.so\.1")
_DESKTOP = re.compile(r"libX11\.so\.6")
_OTHER_JAR = re.compile(r"-(sources|javadoc|tests?)\.jar$")

SHARED_JARS = frozenset({"/usr/share/java", "/usr/local/share/java", "/usr/share/maven-repo"})
"""Directories of jars for all programs: what lies beside a jar in them is not of the same app."""

FONTS = ("/etc/fonts", "/var/cache/fontconfig", "/usr/share/fonts", "/usr/local/share/fonts")
"""Configuration, cache and files of fonts (fonts-conf(5))."""

LARGEST_FONTS = 16 << 20
"""Each of those is kept up to this weight (bytes)."""

LARGEST_LIBRARY = 512 << 20
"""Jars beside a used one are kept up to this weight together (bytes)."""


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return JavaRuntime(scene)


class JavaRuntime:
    """Waits for a virtual machine; from then on follows jars to jars."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._running = False
        self._waiting: list[Entry] = []
        self._done: set[str] = set()  # homes and directories of jars

    def __call__(self, turn: Turn) -> Iterator[Finding]:
        """The rule at work (`slimpy.keep.turn.Finder`)."""
        for head in turn.files:
            if _is_machine(head):
                yield from self._runtime(head.entry.path)
            self._waiting.append(head.entry)
        if self._running:
            entries, self._waiting = self._waiting, []
            jars = [entry.path for entry in entries if entry.path.endswith((".jar", ".war"))]
            self._scene.contents.fetch(jars)
            for path in jars:
                yield from self._jar(path)
            for entry in entries:
                yield from self._exploded(entry.path)

    def _runtime(self, machine: ImagePath) -> Iterator[Want]:
        if not self._running:
            self._running = True
            yield from self._command_line()
        home = self._home(machine)
        if home is None or home in self._done:
            return
        self._done.add(home)
        reason = Reason(Rule.JAVA, machine, "part of the Java runtime")
        for directory in _LIBRARIES:
            for entry in files_below(
                self._scene, f"{home}/{directory}", skip=self._skip(), most_bytes=1 << 30
            ):
                yield Want(entry.path, reason)
        if self._draws():
            yield from self._fonts(machine)
        for file in ("release", "bin/java"):
            if is_file(self._scene, f"{home}/{file}"):
                yield Want(f"{home}/{file}", reason)

    def _home(self, machine: ImagePath) -> ImagePath | None:
        """The directory of the runtime that a libjvm.so belongs to: the nearest that looks so."""
        directory = parent(machine)
        for _ in range(5):
            if any(is_file(self._scene, f"{directory}/{mark}") for mark in _HOME_MARKS):
                return directory
            directory = parent(directory)
        return None

    def _fonts(self, machine: ImagePath) -> Iterator[Want]:
        """What Java finds fonts with, and the fonts: it cannot write a letter without any."""
        reason = Reason(Rule.JAVA, machine, "the app draws, and text needs fonts")
        for path in libraries_named(self._scene, _FONTS):
            yield Want(path, reason)
        for directory in FONTS:
            for entry in files_below(self._scene, directory, most_bytes=LARGEST_FONTS):
                yield Want(entry.path, reason)

    def _draws(self) -> bool:
        """Whether the run loaded Java's graphics, even if it wrote no text."""
        events = self._scene.trace.activity.events
        return any(event.error is None and event.path.endswith("/libawt.so") for event in events)

    def _skip(self) -> Callable[[Entry], bool]:
        """What of a runtime is left out in this image."""
        desktop = any(libraries_named(self._scene, _DESKTOP))

        def skip(entry: Entry) -> bool:
            base = name(entry.path)
            if entry.type is FileType.DIRECTORY:
                return base in _NEVER_DIRECTORIES
            if desktop and base == "libawt_xawt.so":
                return False
            return _NEVER.fullmatch(base) is not None

        return skip

    def _command_line(self) -> Iterator[Want]:
        """Jars and directories that the image's own command line names."""
        for item in class_path(self._scene):
            reason = Reason(Rule.JAVA, "", f"{item.source} of the image")
            if item.pattern:
                yield from self._jars_in(item.path, reason)
            elif is_directory(self._scene, item.path):
                for entry in files_below(
                    self._scene, item.path, skip=_is_no_class, most_bytes=LARGEST_LIBRARY
                ):
                    yield Want(entry.path, reason)
            elif is_file(self._scene, item.path):
                yield Want(item.path, reason)

    def _jar(self, path: ImagePath) -> Iterator[Want]:
        directory = parent(path)
        reason = Reason(Rule.JAVA, path, "named in the manifest's Class-Path")
        for reference in manifest_class_path(self._scene.contents, path):
            target = beside(directory, reference)
            if is_file(self._scene, target):
                if target.endswith(_ARCHIVES):
                    yield Want(target, reason)
            elif reference.endswith("/") and target.count("/") > 1:
                for entry in files_below(self._scene, target, skip=_is_no_class):
                    yield Want(entry.path, reason)
        if directory not in SHARED_JARS:
            yield from self._jars_in(directory, Reason(Rule.JAVA, path, "beside a jar in use"))

    def _jars_in(self, directory: str, reason: Reason) -> Iterator[Want]:
        if directory in self._done:
            return
        self._done.add(directory)
        for entry in files_below(
            self._scene, directory, skip=_is_no_jar, deep=False, most_bytes=LARGEST_LIBRARY
        ):
            yield Want(entry.path, reason)

    def _exploded(self, path: ImagePath) -> Iterator[Want]:
        """The rest of an unpacked application of which something is kept."""
        for mark in ("/WEB-INF/", "/BOOT-INF/"):
            outer, found, _ = path.partition(mark)
            directory = f"{outer}{mark.rstrip('/')}"
            if not found or directory in self._done:
                continue
            self._done.add(directory)
            reason = Reason(Rule.JAVA, path, "part of an unpacked application")
            for entry in files_below(
                self._scene, directory, skip=_is_no_class, most_bytes=LARGEST_LIBRARY
            ):
                yield Want(entry.path, reason)


def _is_machine(head: Head) -> bool:
    return head.is_elf and name(head.entry.path) == "libjvm.so"


def _is_no_class(entry: Entry) -> bool:
    return _OTHER_JAR.search(entry.path) is not None


def _is_no_jar(entry: Entry) -> bool:
    return not entry.path.endswith((".jar", ".war", ".jmod", ".so")) or _is_no_class(entry)
