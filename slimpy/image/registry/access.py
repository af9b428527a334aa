"""How registries are reached: plain or encrypted, whom to trust, as whom, how patiently."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slimpy.errors import UsageError
from slimpy.image.registry.credentials import Finder, Remembered, nobody
from slimpy.image.registry.retries import Retries

_CERTIFICATES = Path("/etc/docker/certs.d")


@dataclass(frozen=True, slots=True)
class Access:
    """What a client needs to know besides the name of an image.

    Args:
        plain_http: without encryption; this machine's own registries may be plain in any case.
        ca_file: certificate authorities to trust in place of the system's (PEM); for all hosts.
        certificates: a directory ``HOST[:PORT]/`` with ``ca.crt``, and with ``client.cert`` and
            ``client.key`` for registries that want one, as Docker has it.
        login: finds who the user is; nobody by default.
        retries: what is tried again, and when.
        connect_seconds: until a host must have answered.
        read_seconds: the longest silence in the middle of an answer.
        commit_seconds: the longest silence after an upload, while a registry stores it.
        chunk: the most bytes of one upload request, for registries behind a proxy with a limit; 0
            is no limit.
    """

    plain_http: bool = False
    ca_file: Path | None = None
    certificates: Path = _CERTIFICATES
    login: Finder = nobody
    retries: Retries = field(default_factory=Retries)
    connect_seconds: float = 15.0
    read_seconds: float = 60.0
    commit_seconds: float = 300.0
    chunk: int = 0

    @classmethod
    def of_user(
        cls,
        environment: Mapping[str, str],
        uid: int,
        *,
        plain_http: bool = False,
        ca_file: Path | None = None,
    ) -> Access:
        """With the logins that Docker and Podman remember for a user.

        Args:
            environment: the user's: HOME, DOCKER_CONFIG, REGISTRY_AUTH_FILE, XDG_*, and
                REQUESTS_CA_BUNDLE where no ``ca_file`` is given.
            uid: the user's number.

        Raises:
            UsageError: the certificate file cannot be used.
        """
        if ca_file is not None:
            check_authorities(ca_file)
        else:
            bundle = environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE")
            ca_file = Path(bundle) if bundle else None
        home = Path(environment.get("HOME") or "/nonexistent")
        login = Remembered(environment, home, uid)
        return cls(plain_http=plain_http, ca_file=ca_file, login=login)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates count for a host, in the words of `requests`."""

    verify: str | bool
    certificate: tuple[str, str] | None = None


def trust(access: Access, host: str) -> Trust:
    """What is trusted at a host (``HOST[:PORT]``).

    Without a wish of the user these are the system's authorities (SSL_CERT_FILE and SSL_CERT_DIR
    name others), and those of `requests` where the system has none.
    """
    folder = access.certificates / host
    own = folder / "ca.crt"
    client = (folder / "client.cert", folder / "client.key")
    certificate = (str(client[0]), str(client[1])) if all(map(_is_file, client)) else None
    if access.ca_file is not None:
        return Trust(str(access.ca_file), certificate)
    if _is_file(own):
        return Trust(str(own), certificate)
    return Trust(_system(), certificate)


def check_authorities(path: Path) -> None:
    """Find out early whether a file of certificate authorities can be used.

    Raises:
        UsageError: it cannot be read, or holds no certificate.
    """
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError as error:  # ssl.SSLError is one
        message = f"The certificate file {path} cannot be used: {error.strerror or error}."
        raise UsageError(message, hint="It must hold certificates in PEM form.") from error


def _system() -> str | bool:
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    if paths.capath and any(Path(paths.capath).iterdir()):
        return paths.capath
    return True


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
