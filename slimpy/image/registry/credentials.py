"""Who the user is to a registry, as Docker and Podman remember it.

Sources: docker-login(1) and the Docker configuration file; containers-auth.json(5), whose keys may
be repositories and name spaces, the longest first.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slimpy.errors import ProgramError, SourceError
from slimpy.image.registry import helpers
from slimpy.image.registry.names import HUB, RepositoryName
from slimpy.model import display

_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io")
"""What Docker calls its own registry in its configuration."""
_LARGEST = 1 << 20  # bytes of a file


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password, or a token; nothing secret is in its repr.

    ``identity_token`` is exchanged for others, ``registry_token`` is shown to the registry as it
    is.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)


Finder = Callable[[RepositoryName], Login | None]
"""Finds the login for a repository; None is nobody in particular."""


def nobody(name: RepositoryName) -> Login | None:
    """No login at all, wherever it is."""
    del name
    return None


@dataclass(frozen=True, slots=True)
class Remembered:
    """The logins that Docker and Podman have saved for a user.

    Args:
        environment: the user's; says where the files are, and is what credential helpers get.
        home: the user's home directory.
        uid: the user's number.
    """

    environment: Mapping[str, str]
    home: Path
    uid: int

    def __call__(self, name: RepositoryName) -> Login | None:
        """The first file's login that fits the repository.

        Raises:
            SourceError: a file cannot be read, or a credential helper fails.
        """
        for path in self.files():
            document = _read(path)
            if document is not None and (login := self._of(document, name, path)) is not None:
                return login
        return None

    def files(self) -> tuple[Path, ...]:
        """Where logins may be, those that go first first."""
        told = self.environment.get("REGISTRY_AUTH_FILE")
        if told:
            return (Path(told),)
        docker = self.environment.get("DOCKER_CONFIG")
        runtime = self.environment.get("XDG_RUNTIME_DIR")
        settings = self.environment.get("XDG_CONFIG_HOME")
        run = Path(runtime) if runtime else Path(f"/run/containers/{self.uid}")
        config = Path(settings) if settings else self.home / ".config"
        return (
            *((Path(docker) / "config.json",) if docker else ()),
            run / "containers/auth.json" if runtime else run / "auth.json",
            config / "containers/auth.json",
            *(() if docker else (self.home / ".docker/config.json",)),
        )

    def _of(self, document: Mapping[str, Any], name: RepositoryName, path: Path) -> Login | None:
        saved, programs = _mapping(document, "auths"), _mapping(document, "credHelpers")
        for key in _keys(name):
            program = programs.get(key)
            if isinstance(program, str) and program:
                return self._ask(program, key)
            if key in saved and (login := _login(saved[key], key, path)) is not None:
                return login
        for key, value in saved.items():
            fits = _host_of(key) == name.registry
            if fits and (login := _login(value, key, path)) is not None:
                return login
        store = document.get("credsStore")
        return self._ask(store, name.registry) if isinstance(store, str) and store else None

    def _ask(self, program: str, key: str) -> Login | None:
        server = _HUB_KEYS[0] if key == HUB else key
        try:
            found = helpers.ask(program, server, self.environment)
        except ProgramError as error:
            message = f"The login for {display(server)} cannot be asked for. {error.message}"
            hint = "Install the credential helper, or take it out of the configuration file."
            raise SourceError(message, hint=hint) from error
        if found is None:
            return None
        username, secret = found
        if username == helpers.TOKEN_USER:
            return Login(identity_token=secret)
        return Login(username, secret)


def _keys(name: RepositoryName) -> Iterator[str]:
    """The keys that may stand for a repository, the most special one first."""
    key = name.repository
    while key:
        yield key
        key = key.rpartition("/")[0]
    if name.registry == HUB:
        yield from _HUB_KEYS


def _host_of(key: str) -> str:
    """The registry of an old key, which is a URL: ``https://host/v1/``."""
    if "://" not in key and "/v1" not in key and "/v2" not in key:
        return ""
    host = key.partition("://")[2] or key
    return host.partition("/")[0].lower()


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        message = f"The logins in {path} cannot be read: {error.strerror}."
        raise SourceError(message) from error
    try:
        document = json.loads(data if len(data) <= _LARGEST else b"")
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        message = f"The logins in {path} cannot be read: it is not a JSON object."
        raise SourceError(message, hint="Mend it, or log in again.")
    return document


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _login(value: object, key: str, path: Path) -> Login | None:
    if not isinstance(value, dict):
        return None
    texts = {name: item for name, item in value.items() if isinstance(item, str) and item}
    username, password = texts.get("username", ""), texts.get("password", "")
    if "auth" in texts:
        try:
            decoded = base64.b64decode(texts["auth"], validate=True).decode()
        except (binascii.Error, ValueError):
            message = f"The login for {display(key)} in {path} is damaged."
            raise SourceError(message, hint="Log in again.") from None
        username, _, password = decoded.partition(":")
        password = password.strip("\0")
    login = Login(
        username, password, texts.get("identitytoken", ""), texts.get("registrytoken", "")
    )
    return login if login != Login() else None
