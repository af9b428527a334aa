"""The logins that Docker and Podman remember: which file, which key, which helper."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from slimpy.errors import SourceError, UsageError
from slimpy.image.registry.access import Access
from slimpy.image.registry.credentials import Login, Remembered, nobody
from slimpy.image.registry.names import RepositoryName

HUB = "https://index.docker.io/v1/"


def auth(name: str, password: str = "secret") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


def write(path: Path, **document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def who(home: Path, name: str, **environment: str) -> Login | None:
    remembered = Remembered({"PATH": os.environ["PATH"], **environment}, home, 12345)
    return remembered(RepositoryName.parse(name))


def docker(home: Path, **document: object) -> None:
    write(home / ".docker/config.json", **document)


def test_nobody(tmp_path):
    assert who(tmp_path, "registry.example/app") is None
    assert nobody(RepositoryName.parse("app")) is None


def test_of_docker(tmp_path):
    docker(tmp_path, auths={"registry.example:5000": auth("ada", "a:b:c"), "other": auth("eve")})
    assert who(tmp_path, "registry.example:5000/team/app") == Login("ada", "a:b:c")
    assert who(tmp_path, "registry.example/team/app") is None
    assert who(tmp_path, "app") is None


@pytest.mark.parametrize("key", [HUB, "docker.io", "index.docker.io", "registry-1.docker.io"])
@pytest.mark.parametrize("name", ["app", "team/app", "docker.io/team/app", "index.docker.io/app"])
def test_of_the_hub(tmp_path, key, name):
    docker(tmp_path, auths={key: auth("ada")})
    assert who(tmp_path, name) == Login("ada", "secret")


@pytest.mark.parametrize(
    "key",
    ["https://registry.example/v1/", "https://registry.example", "http://registry.example/v2/"],
)
def test_old_keys(tmp_path, key):
    docker(tmp_path, auths={key: auth("ada")})
    assert who(tmp_path, "registry.example/app") == Login("ada", "secret")
    assert who(tmp_path, "registry.example.org/app") is None


def test_the_longest_key_counts(tmp_path):
    path = tmp_path / "auth.json"
    saved = {
        "registry.example": auth("host"),
        "registry.example/team": auth("team"),
        "registry.example/team/app": auth("app"),
        "docker.io/library": auth("official"),
    }
    write(path, auths=saved)
    told = {"REGISTRY_AUTH_FILE": str(path)}
    for name, user in (
        ("registry.example/x", "host"),
        ("registry.example/teams/app", "host"),
        ("registry.example/team/other", "team"),
        ("registry.example/team/app:1", "app"),
        ("registry.example/team/app/part", "app"),
        ("debian", "official"),
    ):
        login = who(tmp_path, name, **told)
        assert login is not None
        assert login.username == user, name
    assert who(tmp_path, "team/app", **told) is None


def test_tokens(tmp_path):
    docker(tmp_path, auths={
        "a.example": {**auth("ada", ""), "identitytoken": "one"},
        "b.example": {"registrytoken": "two"},
        "c.example": {"username": "ada", "password": "three"},
        "d.example": {},
    })  # fmt: skip
    assert who(tmp_path, "a.example/x") == Login("ada", "", identity_token="one")
    assert who(tmp_path, "b.example/x") == Login(registry_token="two")
    assert who(tmp_path, "c.example/x") == Login("ada", "three")
    assert who(tmp_path, "d.example/x") is None


def test_the_order_of_files(tmp_path):
    """Each is looked into only while those before it say nothing."""
    files = {
        "docker": tmp_path / ".docker/config.json",
        "config": tmp_path / ".config/containers/auth.json",
        "run": tmp_path / "run/containers/auth.json",
        "DOCKER_CONFIG": tmp_path / "elsewhere/config.json",
        "told": tmp_path / "told.json",
    }
    environment = {}
    for name, path in files.items():
        write(path, auths={"registry.example": auth(name)})
        if name == "run":
            environment["XDG_RUNTIME_DIR"] = str(tmp_path / "run")
        if name == "DOCKER_CONFIG":
            environment["DOCKER_CONFIG"] = str(path.parent)
        if name == "told":
            environment["REGISTRY_AUTH_FILE"] = str(path)
        login = who(tmp_path, "registry.example/app", **environment)
        assert login is not None
        assert login.username == name
    write(files["told"], auths={})
    assert who(tmp_path, "registry.example/app", **environment) is None


def test_the_place_of_settings_may_be_another(tmp_path):
    write(tmp_path / "x/containers/auth.json", auths={"registry.example": auth("ada")})
    assert who(tmp_path, "registry.example/app") is None
    assert who(tmp_path, "registry.example/app", XDG_CONFIG_HOME=str(tmp_path / "x"))


@pytest.fixture
def helper(tmp_path):
    """A credential helper on the PATH; the environment that finds it."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def make(script: str, name: str = "test") -> dict[str, str]:
        path = folder / f"docker-credential-{name}"
        path.write_text(f"#!/bin/sh\nserver=$(cat)\n{script}\n")
        path.chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}", "SEEN": str(tmp_path / "seen")}

    return make


ANSWER = '''printf '{"ServerURL":"x","Username":"ada","Secret":"for %s"}' "$server"'''


@pytest.mark.parametrize(
    ("name", "server"),
    [("registry.example:5000/app", "registry.example:5000"), ("app", HUB)],
)
def test_the_store(tmp_path, helper, name, server):
    docker(tmp_path, credsStore="test", auths={"registry.example:5000": {}, HUB: {}})
    assert who(tmp_path, name, **helper(ANSWER)) == Login("ada", f"for {server}")


def test_a_helper_of_one_registry(tmp_path, helper):
    docker(tmp_path, credHelpers={"registry.example": "test"}, credsStore="missing")
    environment = helper(f'echo "$1 $server" > "$SEEN"\n{ANSWER}')
    assert who(tmp_path, "registry.example/app", **environment) == Login(
        "ada", "for registry.example"
    )
    assert (tmp_path / "seen").read_text() == "get registry.example\n"
    with pytest.raises(SourceError, match="docker-credential-missing"):
        who(tmp_path, "other.example/app", **environment)


def test_a_helper_with_an_identity_token(tmp_path, helper):
    docker(tmp_path, credsStore="test")
    environment = helper("""echo '{"Username":"<token>","Secret":"abc"}'""")
    assert who(tmp_path, "registry.example/app", **environment) == Login(identity_token="abc")


def test_a_helper_that_knows_nothing(tmp_path, helper):
    docker(tmp_path, credsStore="test")
    environment = helper("echo 'credentials not found in native keychain'; exit 1")
    assert who(tmp_path, "registry.example/app", **environment) is None


@pytest.mark.parametrize(
    "script",
    [
        "echo secret; exit 1",
        "echo secret",
        "echo '[]'",
        """echo '{"Username":"secret"}'""",
        "kill $$",
    ],
)
def test_a_helper_that_fails_does_not_give_secrets_away(tmp_path, helper, script):
    docker(tmp_path, credsStore="test")
    with pytest.raises(SourceError, match="docker-credential-test") as caught:
        who(tmp_path, "registry.example/app", **helper(script))
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "a b", "-x", "x\n"])
def test_names_of_helpers_that_are_none(tmp_path, helper, name):
    docker(tmp_path, credHelpers={"registry.example": name})
    if name:
        with pytest.raises(SourceError, match="no name of a credential helper"):
            who(tmp_path, "registry.example/app", **helper(ANSWER))
    else:
        assert who(tmp_path, "registry.example/app", **helper(ANSWER)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "[" * 100_000])
def test_damaged_files(tmp_path, text):
    docker(tmp_path)
    (tmp_path / ".docker/config.json").write_text(text)
    with pytest.raises(SourceError, match=r"\.docker/config\.json cannot be read"):
        who(tmp_path, "registry.example/app")


@pytest.mark.parametrize("saved", [{"auth": "!"}, {"auth": "/////w=="}])
def test_damaged_logins(tmp_path, saved):
    docker(tmp_path, auths={"registry.example": saved})
    with pytest.raises(SourceError, match=r"The login for registry\.example in .* is damaged"):
        who(tmp_path, "registry.example/app")


@pytest.mark.parametrize(
    "document",
    [
        {"auths": None},
        {"auths": []},
        {"auths": {"registry.example": None}},
        {"auths": {"registry.example": {"auth": 5}}},
        {"credHelpers": {"registry.example": 5}},
        {"credsStore": 5},
    ],
)
def test_odd_files_say_nothing(tmp_path, document):
    docker(tmp_path, **document)
    assert who(tmp_path, "registry.example/app") is None


def test_the_access_of_a_user(tmp_path):
    docker(tmp_path, auths={"registry.example": auth("ada")})
    access = Access.of_user({"HOME": str(tmp_path)}, 12345)
    assert access.login(RepositoryName.parse("registry.example/app")) == Login("ada", "secret")
    bundle = Access.of_user({"REQUESTS_CA_BUNDLE": "/some/where.pem"}, 1).ca_file
    assert bundle == Path("/some/where.pem")
    with pytest.raises(UsageError, match="cannot be used"):
        Access.of_user({}, 1, ca_file=tmp_path / "missing.pem")
