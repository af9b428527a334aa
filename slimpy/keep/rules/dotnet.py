"""The shared frameworks of .NET in use, and the assemblies that the app's deps.json lists.

File names and fields follow the .NET documentation: "Runtime configuration files" and
"deps.json" in dotnet/sdk, documentation/specs/runtime-configuration-file.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules.node_native import has_musl
from slimpy.keep.rules.reach import Reach, beside, files_below, libraries_named
from slimpy.keep.scene import Finding, Scene, Want, is_within
from slimpy.keep.turn import Finder
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule

_RUNTIME = frozenset({"libcoreclr.so", "libhostfxr.so", "libhostpolicy.so"})
_FRAMEWORK = re.compile(r"(?P<shared>.*/shared)/(?P<name>[\w.-]+)/(?P<version>\d[\w.+-]*)/[^/]+$")
_NEVER = re.compile(
    r".*\.(pdb|xml|dbg|debug|h|a|lib|md|txt)|createdump|libmscordbi\.so|libmscordaccore\.so"
    r"|libcoreclrtraceptprovider\.so|Microsoft\.DiaSymReader\.Native.*"
)
"""Files of a framework for debuggers and compilers."""

_LOADED = re.compile(r"lib(ssl|crypto|gssapi_krb5)\.so(\.\d+){1,3}")
_LOADED_WITH_ICU = re.compile(rf"{_LOADED.pattern}|libicu(uc|i18n|data)\.so(\.\d+){{0,3}}")
_MACHINES = {"amd64": "x64", "arm64": "arm64", "arm": "arm", "386": "x86"}
_MOST = 20_000
"""Assets of one deps.json, and entries of one table, that are looked at."""


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return DotnetRuntime(scene)


class DotnetRuntime(Reach):
    """Keeps frameworks as units, and follows the app's own lists."""

    rule = Rule.DOTNET

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._frameworks: set[str] = set()

    def is_runtime(self, head: Head) -> bool:
        """The runtime itself, or what starts it."""
        return head.is_elf and name(head.entry.path) in _RUNTIME

    def is_source(self, path: ImagePath) -> bool:
        """The two JSON files beside an app."""
        return path.endswith((".runtimeconfig.json", ".deps.json"))

    def started(self, head: Head) -> Iterator[Finding]:
        """Libraries that the runtime opens by computed names: ICU, OpenSSL, Kerberos."""
        invariant = self.scene.image.environment.get("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "")
        with_icu = invariant.lower() not in ("1", "true")
        pattern = _LOADED_WITH_ICU if with_icu else _LOADED
        for path in libraries_named(self.scene, pattern):
            yield Want(path, Reason(self.rule, head.entry.path, "a library opened by name"))

    def visit(self, entry: Entry, text: str) -> Iterator[Finding]:
        """What one file stands for: a framework, or a list of what an app needs."""
        path = entry.path
        match = _FRAMEWORK.match(path)
        if match is not None and path.endswith((".dll", ".so")):
            yield from self._framework(parent(path), path)
        if not text:
            return
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return
        if path.endswith(".runtimeconfig.json"):
            yield from self._configured(path, document)
        elif match is None:
            yield from self._assets(path, document)

    def _framework(self, directory: str, by: ImagePath) -> Iterator[Finding]:
        if directory in self._frameworks:
            return
        self._frameworks.add(directory)
        for entry in files_below(self.scene, directory, skip=_is_no_part, most_bytes=1 << 30):
            yield Want(entry.path, Reason(self.rule, by, "part of the shared framework"))

    def _configured(self, path: ImagePath, document: object) -> Iterator[Finding]:
        options = _table(_table(document).get("runtimeOptions"))
        listed = options.get("frameworks")
        found = listed[:100] if isinstance(listed, list) else [options.get("framework")]
        for framework in map(_table, found):
            wanted, version = framework.get("name"), framework.get("version")
            if isinstance(wanted, str) and isinstance(version, str):
                for directory in self._installed(wanted, version):
                    yield from self._framework(directory, path)

    def _installed(self, wanted: str, version: str) -> Iterator[ImagePath]:
        """Installed frameworks that an app for ``version`` may roll forward to."""
        major = version.partition(".")[0]
        for entry in self.scene.tree:
            if entry.type is FileType.DIRECTORY and entry.path.endswith(f"/shared/{wanted}"):
                for installed in self.scene.tree.children(entry.path):
                    if name(installed.path).partition(".")[0] == major:
                        yield installed.path

    def _assets(self, path: ImagePath, document: object) -> Iterator[Finding]:
        """The files that the list names, where `dotnet publish` puts them."""
        for target in list(_table(_table(document).get("targets")).values())[:100]:
            for library, assets in list(_table(target).items())[:_MOST]:
                candidates = dict.fromkeys(self._places(_table(assets)))
                paths = [beside(parent(path), candidate) for candidate in candidates]
                inside = [found for found in paths if is_within(found, parent(path))]
                yield from self.wants(inside, path, f"asset of {library}")

    def _places(self, assets: Mapping[str, Any]) -> Iterator[str]:
        for kind in ("runtime", "native"):
            for asset in list(_table(assets.get(kind)))[:_MOST]:
                yield asset
                yield asset.rpartition("/")[2]
        for asset, about in list(_table(assets.get("resources")).items())[:_MOST]:
            locale = _table(about).get("locale")
            yield asset
            if isinstance(locale, str):
                yield f"{locale}/{asset.rpartition('/')[2]}"
        for asset, about in list(_table(assets.get("runtimeTargets")).items())[:_MOST]:
            if self._is_ours(str(_table(about).get("rid", ""))):
                yield asset

    def _is_ours(self, platform: str) -> bool:
        """Whether a runtime identifier, such as ``linux-musl-x64``, is for this image."""
        system, *details = platform.split("-")
        machines = [word for word in details if word in _MACHINES.values()]
        ours = _MACHINES.get(self.scene.image.architecture, self.scene.image.architecture)
        if not system.startswith(("linux", "unix", "any", "debian", "ubuntu", "alpine", "rhel")):
            return False
        if "musl" in details and not has_musl(self.scene):
            return False
        return not machines or ours in machines


def _is_no_part(entry: Entry) -> bool:
    return entry.type is FileType.FILE and _NEVER.fullmatch(name(entry.path)) is not None


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
