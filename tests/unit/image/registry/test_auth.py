"""Who is told who we are, and who is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.errors import RegistryDeniedError, SourceError
from slimpy.image.registry import open_registry
from slimpy.image.registry.auth import Authority
from slimpy.image.registry.challenges import parse
from slimpy.image.registry.credentials import Login
from slimpy.image.registry.origins import Origin
from tests.unit.image.registry.fake import BASIC, PASSWORD, USER, Fake, FakeTime, access

ADA = Login(USER, PASSWORD)
LAYER = b"layer" * 1000


def read(fake: Fake, clock: FakeTime | None = None, login: Login | None = ADA, **more) -> bytes:
    fake.add_image(LAYER)
    with open_registry(f"{fake.host}/app:1", access=access(clock, login=login, **more)) as source:
        layer = source.manifest.layers[0]
        with source.open(layer) as file:
            return file.read()


def sent(fake: Fake, part: str = "/v2/") -> list[str | None]:
    return [one.headers.get("authorization") for one in fake.seen if part in one.path]


def test_basic(fake):
    fake.auth = "basic"
    assert read(fake) == LAYER
    assert sent(fake) == [None, BASIC, BASIC, BASIC], "nothing before it is asked for"


def test_nothing_is_sent_to_a_registry_that_does_not_ask(fake):
    assert read(fake) == LAYER
    assert set(sent(fake)) == {None}


def test_basic_with_a_wrong_password(fake):
    fake.auth = "basic"
    with pytest.raises(RegistryDeniedError, match="UNAUTHORIZED: who are you") as caught:
        read(fake, login=Login(USER, "wrong"))
    assert len(fake.seen) == 2
    assert caught.value.hint == f"Log in first: docker login {fake.host}"
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_nobody_where_somebody_is_wanted(fake, auth):
    fake.auth = auth
    with pytest.raises(RegistryDeniedError, match=r"wants a login|asks for a login"):
        read(fake, login=None)


def test_bearer(fake):
    fake.auth = "bearer"
    assert read(fake) == LAYER
    assert sent(fake, "/token") == [BASIC]
    assert sent(fake) == [None, *["Bearer t0ken"] * 3]
    assert "service=fake" in fake.asked("GET", "/token")[0].path
    assert "scope=repository%3Aapp%3Apull" in fake.asked("GET", "/token")[0].path


def test_an_identity_token_is_exchanged(fake):
    fake.auth = "bearer"
    assert read(fake, login=Login(identity_token="1dentity")) == LAYER
    (asked,) = fake.asked("POST", "/token")
    assert b"grant_type=refresh_token" in asked.body
    assert "authorization" not in asked.headers


def test_a_registry_token_is_shown_as_it_is(fake):
    fake.auth = "bearer"
    assert read(fake, login=Login(registry_token="t0ken")) == LAYER
    assert not fake.asked("GET", "/token")
    with pytest.raises(RegistryDeniedError):
        read(fake, login=Login(registry_token="another"))


def test_a_token_that_has_run_out_is_renewed_before_it_is_used(fake, clock):
    fake.auth = "bearer"
    fake.add_image(LAYER)
    with open_registry(f"{fake.host}/app:1", access=access(clock, login=ADA)) as source:
        clock.time += 280
        source.repository.document("1")
        assert len(fake.asked("GET", "/token")) == 1
        clock.time += 20
        source.repository.document("1")
        assert len(fake.asked("GET", "/token")) == 2
    assert sent(fake).count(None) == 1


def test_a_token_that_is_not_taken_any_more_is_renewed(fake):
    fake.auth = "bearer"
    fake.add_image(LAYER)
    with open_registry(f"{fake.host}/app:1", access=access(login=ADA)) as source:
        fake.token = "an0ther"
        source.repository.document("1")
    assert sent(fake)[-2:] == ["Bearer t0ken", "Bearer an0ther"]


def test_a_token_that_is_never_taken(fake):
    fake.auth = "bearer"
    denied = {"WWW-Authenticate": f'Bearer realm="http://{fake.host}/token",error="invalid_token"'}
    fake.on("GET", "/v2/", lambda it: it.reply(401, **denied), times=100)
    with pytest.raises(RegistryDeniedError):
        read(fake)
    assert len(fake.asked("GET", "/v2/")) == 2


def test_a_token_without_a_life_is_good_for_a_minute(fake, clock):
    fake.auth, fake.token_life = "bearer", None
    fake.add_image(LAYER)
    with open_registry(f"{fake.host}/app:1", access=access(clock, login=ADA)) as source:
        clock.time += 61
        source.repository.document("1")
    assert len(fake.asked("GET", "/token")) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{}",
        b'{"token": 5}',
        b'{"token": ""}',
        b'{"token": "a\\r\\nX: y"}',
        b"[" * 9999,
    ],
)
def test_realms_that_answer_with_no_token(fake, answer):
    fake.auth = "bearer"
    fake.on("GET", "/token", lambda it: it.reply(200, answer))
    with pytest.raises(RegistryDeniedError, match="did not answer with a token"):
        read(fake)


@pytest.mark.parametrize("life", ["x", None, True, -5, 1e400, [], "10"])
def test_odd_lives_of_tokens(fake, life):
    fake.auth = "bearer"
    body = json.dumps({"token": "t0ken", "expires_in": life}).encode()
    fake.on("GET", "/token", lambda it: it.reply(200, body))
    assert read(fake) == LAYER


def test_a_realm_of_another_host_gets_the_login_only_encrypted(fake):
    fake.auth, fake.realm = "bearer", "http://auth.example/token"
    with pytest.raises(SourceError, match="without encryption"):
        read(fake)


def test_a_registry_elsewhere_does_not_send_us_to_a_realm_here():
    asked: list[object] = []
    remote = Origin.of("https://registry.example")
    authority = Authority(remote, ADA, lambda question: asked.append(question) or b"", lambda: 0.0)
    assert authority.asked('Bearer realm="http://127.0.0.1/token"', ("x",), "")
    with pytest.raises(SourceError, match="without encryption"):
        authority.header(("x",))
    assert not asked


@pytest.mark.parametrize(
    "realm", ["", "ftp://127.0.0.1/", "file:///etc/passwd", "//x", "http://[::1", "http://u:p@x/"]
)
def test_realms_that_are_no_place(fake, realm):
    fake.auth = "bearer"
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}"'}
    fake.on("GET", "/v2/", lambda it: it.reply(401, **challenge))
    with pytest.raises(SourceError, match="cannot be used"):
        read(fake)


def test_a_realm_that_redirects_does_not_get_the_login_further(fake, registries):
    other = registries()
    fake.auth = "bearer"
    fake.on("GET", "/token", lambda it: it.reply(307, Location=f"http://{other.host}/token"))
    with pytest.raises(SourceError, match="redirects; the login is not sent along"):
        read(fake)
    assert not other.seen


def test_a_busy_realm_is_asked_again(fake, clock):
    fake.auth = "bearer"
    fake.on("GET", "/token", lambda it: it.reply(503))
    assert read(fake, clock) == LAYER
    assert clock.waits == [0.5]


def test_a_redirected_blob_is_fetched_without_the_login(fake, registries):
    store = registries()
    fake.auth = "basic"
    layer = fake.add_image(LAYER).layers[0]
    store.blobs[layer.digest] = LAYER
    place = f"http://{store.host}/v2/app/blobs/{layer.digest}?signature=secret"
    fake.on("GET", layer.digest, lambda it: it.reply(307, Location=place))
    assert read(fake) == LAYER
    (asked,) = store.seen
    assert "authorization" not in asked.headers
    assert "cookie" not in asked.headers


def test_a_broken_redirected_blob_goes_on_through_the_registry(fake, registries):
    """Signed places do not last, so a new one is asked for."""
    store = registries()
    layer = fake.add_image(LAYER).layers[0]
    store.blobs[layer.digest] = LAYER
    place = f"http://{store.host}/v2/app/blobs/{layer.digest}"
    fake.on("GET", layer.digest, lambda it: it.reply(307, Location=place), times=2)

    def break_off(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(LAYER)))
        handler.end_headers()
        handler.wfile.write(LAYER[:1000])
        handler.drop()

    store.on("GET", layer.digest, break_off)
    assert read(fake) == LAYER
    assert [one.headers.get("range") for one in store.seen] == [None, "bytes=1000-"]


def test_a_redirect_within_the_registry_keeps_the_login(fake):
    fake.auth = "basic"
    layer = fake.add_image(LAYER).layers[0]
    moved = f"/v2/moved/blobs/{layer.digest}"
    fake.on("GET", f"/app/blobs/{layer.digest}", lambda it: it.reply(302, Location=moved))
    assert read(fake) == LAYER
    assert fake.asked("GET", "moved")[-1].headers["authorization"] == BASIC


@pytest.mark.parametrize(
    "location",
    [
        "",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://127.0.0.1:99999/",
        "http://user:secret@127.0.0.1/",
        "http://store.example/blob",
        "http://[::1",
        "x" * 20000,
    ],
)
def test_redirects_that_are_not_followed(fake, location):
    fake.on("GET", "manifests", lambda it: it.reply(302, Location=location))
    with pytest.raises(SourceError, match=r"cannot be used|not encrypted") as caught:
        read(fake)
    assert "secret" not in caught.value.message or "user" in location
    assert len(caught.value.message) < 400


def test_the_body_of_a_redirect_is_not_read(fake):
    read_by_client = []

    def endless(handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/v2/app/manifests/1")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
            read_by_client.append(1)

    fake.on("GET", "manifests", endless)
    assert read(fake) == LAYER
    assert len(read_by_client) < 100


def test_redirects_in_circles(fake):
    fake.on("GET", "manifests", lambda it: it.reply(302, Location=it.path), times=100)
    with pytest.raises(SourceError, match="in circles"):
        read(fake)
    assert len(fake.seen) == 6


def test_a_refusal(fake):
    body = json.dumps({"errors": [{"code": "DENIED", "message": "no \x1b[31m" + "x" * 999}]})
    fake.on("GET", "manifests", lambda it: it.reply(403, body.encode()))
    with pytest.raises(RegistryDeniedError, match=r"DENIED: no \\x1b\[31m") as caught:
        read(fake)
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"errors": 5}', b'{"errors": [5]}', b"[" * 99999]
)
def test_odd_refusals(fake, body):
    fake.on("GET", "manifests", lambda it: it.reply(400, body))
    with pytest.raises(SourceError, match=r"answered 400\."):
        read(fake)


def test_no_secret_is_in_a_repr():
    login = Login("ada", "pass1", "pass2", "pass3")
    assert "pass" not in repr(login)


def test_netrc_is_not_read(fake, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password countess\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert read(fake, login=None) == LAYER
    assert set(sent(fake)) == {None}


def test_a_proxy_is_not_asked_for_this_machine(fake, registries, monkeypatch):
    proxy = registries()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{proxy.host}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert read(fake) == LAYER
    assert not proxy.seen


def test_a_proxy_is_asked_for_other_hosts(registries, monkeypatch):
    proxy = registries()
    proxy.add_image(LAYER)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://{proxy.host}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    plain = access(login=ADA, plain_http=True)
    with open_registry("registry.example:5000/app:1", access=plain) as source:
        assert source.manifest.layers[0].size == len(LAYER)
    assert proxy.seen[0].path == "http://registry.example:5000/v2/app/manifests/1"
    assert proxy.seen[0].headers["host"] == "registry.example:5000"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="a, \\"b\\""', [("basic", {"realm": 'a, "b"'})]),
        ("bearer realm=x,service=y", [("bearer", {"realm": "x", "service": "y"})]),
        ('BEARER Realm = "x"', [("bearer", {"realm": "x"})]),
        (
            'Negotiate, Basic realm="x", Bearer realm="y",scope="a b"',
            [
                ("negotiate", {}),
                ("basic", {"realm": "x"}),
                ("bearer", {"realm": "y", "scope": "a b"}),
            ],
        ),
        ('Bearer realm="x",realm="y"', [("bearer", {"realm": "x"})]),
        ('Bearer realm="no end', [("bearer", {})]),
    ],
)
def test_challenges(header, found):
    assert [(item.scheme, dict(item.parameters)) for item in parse(header)] == found


@given(st.text(alphabet=' ,="\\aB1/:', max_size=200))
def test_no_challenge_is_a_crash(header):
    for item in parse(header):
        assert item.scheme == item.scheme.lower() != ""
