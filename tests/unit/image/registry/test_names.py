"""Names of images in registries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.errors import SourceError, UsageError
from slimpy.image.registry.names import RepositoryName, is_loopback
from slimpy.image.registry.origins import Origin, redirected, upload_location

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("text", "whole", "host"),
    [
        ("debian", "docker.io/library/debian:latest", "registry-1.docker.io"),
        ("docker://debian:12", "docker.io/library/debian:12", "registry-1.docker.io"),
        ("team/app", "docker.io/team/app:latest", "registry-1.docker.io"),
        ("index.docker.io/app", "docker.io/library/app:latest", "registry-1.docker.io"),
        ("localhost/app", "localhost/app:latest", "localhost"),
        ("localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x", "localhost:5000"),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000"),
        ("Registry.Example/app", "registry.example/app:latest", "registry.example"),
        (f"r.example/a@{DIGEST}", f"r.example/a@{DIGEST}", "r.example"),
        (f"r.example/a:1@{DIGEST}", f"r.example/a:1@{DIGEST}", "r.example"),
        ("r.example/a__b/c--d/e.f", "r.example/a__b/c--d/e.f:latest", "r.example"),
    ],
)
def test_names(text, whole, host):
    name = RepositoryName.parse(text)
    assert (str(name), name.host) == (whole, host)
    assert RepositoryName.parse(str(name)) == (name if name.tag or name.digest else RepositoryName(
        name.registry, name.path, "latest"
    ))  # fmt: skip


def test_the_digest_goes_before_the_tag():
    assert RepositoryName.parse(f"app:1@{DIGEST}").version == DIGEST
    assert RepositoryName.parse("app:1").version == "1"
    assert RepositoryName.parse("app").version == "latest"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "app:",
        "app:a b",
        "app:-x",
        "app:" + "x" * 129,
        "App",
        "a//b",
        "a/../b",
        "/app",
        "app/",
        "app@",
        "app@sha256:00",
        "app@sha512:" + "0" * 128,
        f"app@{DIGEST}\n",
        "localhost:0/app",
        "localhost:65536/app",
        "localhost:99999999/app",
        "host.example:x/app",
        "-.example/app",
        "[::1/app",
        "user@host.example/app",
        "host.example/app?x=1",
        "host.example/app#x",
        "host.example/%2e%2e/app",
        "a/" * 200 + "a",
        "docker.io/app\r\nX: y",
    ],
)
def test_what_is_no_name(text):
    with pytest.raises(UsageError) as caught:
        RepositoryName.parse(text)
    assert caught.value.message.isprintable()


@given(st.text(alphabet="aA0.:/@-_[]% \n", max_size=40))
def test_what_is_taken_for_a_name_is_safe_in_a_url(text):
    try:
        name = RepositoryName.parse(text)
    except UsageError:
        return
    assert str(Origin.of(f"https://{name.host}/")).startswith("https://")
    assert not set(name.path + name.version) & set(" \n%?#@[]")
    assert ".." not in name.path.split("/")


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1", True),
        ("127.1.2.3:80", True),
        ("[::1]:5000", True),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("10.0.0.1", False),
        ("registry.example:5000", False),
        ("[::2]", False),
    ],
)
def test_loopback(host, is_it):
    assert is_loopback(host) is is_it


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("/v2/x?_state=a%2Fb", "https://r.example/v2/x?_state=a%2Fb"),
        ("https://r.example:443/v2/x", "https://r.example:443/v2/x"),
        ("HTTPS://R.example/v2/x", "https://R.example/v2/x"),
        ("http://r.example/v2/x?a=1", "https://r.example/v2/x?a=1"),  # behind a TLS proxy
        ("//r.example/v2/x", "https://r.example/v2/x"),
        ("x", "https://r.example/v2/app/blobs/uploads/x"),
    ],
)
def test_places_of_uploads(location, place):
    assert upload_location("https://r.example/v2/app/blobs/uploads/", location) == place


@pytest.mark.parametrize(
    "location",
    [
        "https://r.example.evil/v2/x",
        "https://r.example@evil/v2/x",
        "https://evil/r.example",
        "https://r.example:8443/v2/x",
        "http://r.example:8080/v2/x",
        "http://evil/",
        "\\\\evil\\x\n",
    ],
)
def test_uploads_stay_at_home(location):
    with pytest.raises(SourceError):
        upload_location("https://r.example/v2/app/blobs/uploads/", location)


def test_redirects_do_not_leave_encryption():
    assert redirected("https://r.example/x", "https://s.example/y", plain_http=False)
    for plain in (False, True):
        with pytest.raises(SourceError, match="not encrypted"):
            redirected("https://r.example/x", "http://s.example/y", plain_http=plain)
    assert redirected("http://r.example/x", "http://s.example/y", plain_http=True)


def test_redirects_do_not_lead_from_outside_into_this_machine():
    assert redirected("http://127.0.0.1:5000/x", "http://localhost:8080/y", plain_http=False)
    with pytest.raises(SourceError, match="not encrypted"):
        redirected("https://r.example/x", "http://127.0.0.1:8080/y", plain_http=False)
