"""Encryption: whose certificates count, and what is said where they do not."""

from __future__ import annotations

import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from slimpy.errors import SourceError, UsageError
from slimpy.image.registry import open_registry
from slimpy.image.registry.access import check_authorities
from slimpy.image.registry.credentials import Login
from tests.unit.image.registry.fake import BASIC, PASSWORD, USER, Fake, Handler, Server, access


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate for this machine that nobody but itself vouches for, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=here"]
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    subprocess.run(
        [*command, "-addext", names, "-keyout", key, "-out", cert, "-days", "2"],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture
def encrypted(certificate):
    fake = Fake()
    server = Server(("127.0.0.1", 0), type("Own", (Handler,), {"registry": fake}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    fake.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    fake.add_image(b"layer")
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


def digest(fake: Fake, **more) -> str:
    with open_registry(f"{fake.host}/app:1", access=access(**more)) as source:
        return source.digest


def test_an_unknown_authority(encrypted, clock):
    with pytest.raises(SourceError, match="cannot be trusted") as caught:
        digest(encrypted, clock=clock, login=Login(USER, PASSWORD))
    assert "--ca-file" in caught.value.hint
    assert clock.waits == [], "it will not pass"
    assert not encrypted.seen


def test_a_named_authority(encrypted, certificate):
    encrypted.auth = "basic"
    assert digest(encrypted, ca_file=certificate[0], login=Login(USER, PASSWORD))
    assert encrypted.seen[-1].headers["authorization"] == BASIC


def test_the_authority_of_a_registry(encrypted, certificate, tmp_path):
    folder = tmp_path / encrypted.host
    folder.mkdir()
    (folder / "ca.crt").write_bytes(certificate[0].read_bytes())
    assert digest(encrypted, certificates=tmp_path)
    (tmp_path / encrypted.host).rename(tmp_path / "other")
    with pytest.raises(SourceError, match="cannot be trusted"):
        digest(encrypted, certificates=tmp_path)


def test_the_authority_of_the_environment(encrypted, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert digest(encrypted)


def test_plain_http_is_not_spoken_to_an_encrypted_registry_unless_asked(encrypted):
    with pytest.raises(SourceError):
        digest(encrypted, plain_http=True)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_files_without_authorities(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be used"):
        check_authorities(path)
