"""What is a secret, what is none, and that no value is shown."""

from __future__ import annotations

import base64
import hashlib
import string

import pytest

from slimpy.xray.secrets import Weight, in_file, in_text, in_variable


def noise(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Characters that look random, and are the same each time."""
    data = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(length // 32 + 1))
    return "".join(alphabet[byte % len(alphabet)] for byte in data[:length])


KEY = base64.encodebytes(hashlib.sha512(b"key").digest() * 4).decode()
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY}-----END RSA PRIVATE KEY-----\n"
UPPER = string.ascii_uppercase + "234567"
TOKENS = (
    ("AWS access key", "AKIA" + noise(16, UPPER)),
    ("GitHub token", "ghp_" + noise(36)),
    ("GitLab token", "glpat-" + noise(20)),
    ("Slack token", "xoxb-" + noise(12, string.digits) + "-" + noise(24)),
    ("Stripe key", "sk_live_" + noise(24)),
    ("Google API key", "AIza" + noise(35)),
    ("npm token", "npm_" + noise(36)),
    ("PyPI token", "pypi-AgE" + noise(60)),
    ("SendGrid key", f"SG.{noise(22)}.{noise(43)}"),
    ("password in a URL", f"postgres://app:{noise(16)}@db/app"),
)


@pytest.mark.parametrize(("kind", "token"), TOKENS)
def test_tokens_by_their_form(kind: str, token: str) -> None:
    (found,) = in_file("/app/main.py", f"# first\nx = '{token}'\n".encode())
    assert (found.kind, found.weight, found.line) == (kind, Weight.HIGH, 2)
    assert token[8:] not in found.masked
    assert in_file("/app/tests/test_x.py", token.encode())[0].weight is Weight.LOW


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("/root/.ssh/id_rsa", PEM, "private key"),
        ("/etc/key.json", '{"k": "' + PEM.replace("\n", "\\n") + '"}', "private key"),
        ("/root/.netrc", "machine h login u password s3cr3t-w0rd\n", "login in .netrc"),
        ("/root/.npmrc", f"//h/:_authToken={noise(30)}\n", "npm login"),
        ("/root/.pypirc", "[pypi]\npassword = abcdefgh12\n", "login in .pypirc"),
        ("/root/.docker/config.json", '{"auths":{"h":{"auth":"dTpwYXNzdw=="}}}', "registry login"),
        ("/root/.git-credentials", "https://u:tok3n@h\n", "git login"),
        ("/etc/shadow", "root:$6$salt$hashhashhash:1:2\n", "password hash"),
        ("/app/.env", "DEBUG=1\nDB_PASSWORD=Xk29vQpw71\n", "value of DB_PASSWORD"),
        ("/app/config.yml", "db:\n  api_key: 'f81Ks0Lq2mZ'\n", "value of api_key"),
    ],
)
def test_files_of_secrets(path: str, text: str, kind: str) -> None:
    found = in_file(path, text.encode())
    assert [item.kind for item in found] == [kind]
    assert all(len(word) < 8 or word not in found[0].masked for word in text.split())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/app/doc.py", "AKIAIOSFODNN7EXAMPLE"),
        ("/app/a.py", "-----BEGIN PRIVATE KEY-----\\nXXXX\\nXXXX\\n-----END PRIVATE KEY-----"),
        ("/app/a.py", "if 'BEGIN PRIVATE KEY' in text: pass\n-----BEGIN PRIVATE KEY-----"),
        ("/app/.env", "DB_PASSWORD=${DB_PASSWORD}\nTOKEN_FILE=/run/secrets/token\n"),
        ("/app/.env", "SECRET=changeme\nexport PASSWORD=$1\n"),
        ("/app/settings.yml", "password: required\ntoken: null\nsecret: your-secret-here\n"),
        ("/app/main.py", "postgres://user:password@localhost/db http://u:$PASS@h/ a://b:${X}@c"),
        ("/root/.npmrc", "//h/:_authToken=${NPM_TOKEN}\n"),
        ("/etc/shadow", "root:*:1:2\ndaemon:!:1\n"),
        ("/usr/lib/python3/dist-packages/x/conf.ini", "password = Xk29vQpw71\n"),
        ("/app/data.bin", "\0\0" + PEM),
    ],
)  # fmt: skip
def test_what_is_no_secret(path: str, text: str) -> None:
    assert in_file(path, text.encode()) == ()


def test_keys_in_the_tests_of_a_package_weigh_little() -> None:
    path = "/usr/lib/python3/dist-packages/x/tests/key.pem"
    assert [item.weight for item in in_file(path, PEM.encode())] == [Weight.LOW]


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("DB_PASSWORD", "hunter2", "value of DB_PASSWORD"),
        ("ANYTHING", "ghp_" + noise(36), "GitHub token"),
        ("PASSWORD_FILE", "/run/secrets/x", None),
        ("API_KEY", "$KEY", None),
        ("PATH", "/usr/bin", None),
        ("GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D", None),
        ("PYTHON_SHA256", noise(64), None),
    ],
)
def test_variables(name: str, value: str, kind: str | None) -> None:
    found = in_variable(name, value)
    assert (found.kind if found else None) == kind


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("ENV DB_PASSWORD=hunter2hunter2", "hunter2hunter2"),
        ("ENV DB_PASSWORD hunter2hunter2", "hunter2hunter2"),
        ("RUN TOKEN='a b c d' make", "a b c d"),
        ("RUN curl -u deploy:s3cretpass https://h/x", "s3cretpass"),
        ("RUN echo machine h login u password s3cretpass > ~/.netrc", "s3cretpass"),
        ("RUN echo //h/:_authToken=s3cretpass > ~/.npmrc", "s3cretpass"),
        (f"RUN echo '{PEM}' > key", PEM.splitlines()[2]),
        ("RUN echo '" + PEM.replace("\n", "\\n") + "' > key", PEM.splitlines()[2]),
        ("RUN curl -H 'Authorization: Bearer s3cretpass'", "s3cretpass"),
        ("RUN mysql --password=s3cretpass", "s3cretpass"),
        ("RUN git clone https://u:" + noise(20) + "@h/r", noise(20)),
    ],
)
def test_instructions_are_shown_without_their_secrets(text: str, secret: str) -> None:
    found, shown = in_text(text)
    assert len(found) == 1
    assert secret in text and secret not in shown and "***" in shown


def test_an_instruction_without_secrets_stays() -> None:
    text = "RUN apt-get update && PASSWORD_FILE=/run/x make --token-file=/x A=b"
    assert in_text(text) == ((), text)
