"""What users, images and machines get wrong: one clear sentence, an exit code of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slimpy.engine.docker import DockerEngine
from tests.e2e.oddities import Images, first_line, leftovers, slim

pytestmark = pytest.mark.e2e


def test_an_unknown_image(engine: DockerEngine, tmp_path: Path) -> None:
    done = slim("build", "slimpy-test/no-such:1", "--no-pull", cwd=tmp_path)
    assert done.code == 4
    assert first_line(done) == "slim: The image slimpy-test/no-such:1 is not in the engine's store."
    assert not list(tmp_path.iterdir()), "no report directory is left for nothing"
    unpulled = slim("build", "127.0.0.1:1/no-such:1", cwd=tmp_path)
    assert unpulled.code == 4 and "pulling it failed" in first_line(unpulled)
    assert not leftovers(engine, done.pid)


@pytest.mark.parametrize(
    "image",
    [
        "",
        " ",
        "Upper/Case",
        "a b",
        "-x",
        "../../version",
        "app@sha256:12",
        "a\x1b[31mb",
        "a\nb",
        "é",
    ],
)
def test_a_name_that_no_image_can_have(image: str, tmp_path: Path) -> None:
    done = slim("build", "--", image, cwd=tmp_path)
    assert done.code == 2
    assert "is not the name or ID of an image" in first_line(done)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--no-such-option"], "No such option"),
        (["--tag", "Upper:1"], "'Upper:1' is not a valid image name"),
        (["--tag", ""], "'' is not a valid image name"),
        (["--env", "NOVALUE"], "--env takes NAME=VALUE"),
        (["--ready", "health"], "--ready takes a path"),
        (["--port", "70000"], "70000"),
        (["--http", "GET"], "GET"),
        (["--repair", "9"], "9"),
    ],
)
def test_an_option_that_cannot_be_used(options: list[str], said: str, tmp_path: Path) -> None:
    done = slim("build", "slimpy-test/no-such:1", *options, cwd=tmp_path)
    assert done.code == 2
    assert said in done.talk and not done.result


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\nhttp:\n  - GET /\n  - path: /x\n    expect:\n      status: nine\n", ":6: "),
        ("version: 1\nhttpp: []\n", ":2: httpp"),
        ("version: 1\nhttp: [\n", "probe.yaml:"),
        ("version: 99\n", ":1: version"),
    ],
)
def test_a_probe_file_with_an_error(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "probe.yaml").write_text(text)
    done = slim("build", "slimpy-test/no-such:1", "--probe-file", "probe.yaml", cwd=tmp_path)
    assert done.code == 9
    assert first_line(done).startswith("slim: probe.yaml") and said in first_line(done)


def test_a_probe_file_that_is_not_there(tmp_path: Path) -> None:
    done = slim("build", "slimpy-test/no-such:1", "--probe-file", "none.yaml", cwd=tmp_path)
    assert done.code == 9 and "none.yaml" in first_line(done)


def test_an_image_of_another_architecture(images: Images, tmp_path: Path) -> None:
    other = "amd64" if images.engine.architecture == "arm64" else "arm64"
    image = images.make("other", 'ENTRYPOINT ["/app"]', platform=f"linux/{other}")
    if images.engine.inspect(image).architecture != other:
        image = images.load_as("other", {"architecture": other, "os": "linux"})
    done = slim("build", image, cwd=tmp_path)
    assert done.code == 5
    assert f"is for {other}" in first_line(done)


def test_an_app_that_exits_at_once(images: Images, tmp_path: Path) -> None:
    done = slim("build", images.odd("exit"), cwd=tmp_path)
    assert done.code == 6
    assert "The app ended with exit code 3" in first_line(done)
    assert "| reading the settings\n" in done.talk
    assert "| no \\x1b[31mdatabase\\x1b[0m at db:5432\n" in done.talk
    assert "strace" not in done.talk and ".slimpy" not in done.talk
    assert not leftovers(images.engine, done.pid)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (['ENTRYPOINT ["/nope"]'], "cannot be started: /nope: No such file or directory"),
        (['ENTRYPOINT ["nope"]'], "nope"),
        (['ENTRYPOINT ["/data"]'], "cannot be started: Permission denied"),
        ([], "has neither ENTRYPOINT nor CMD"),
        (['ENTRYPOINT ["/app"]', "USER ghost"], "unable to find user ghost"),
    ],
)
def test_a_program_that_cannot_be_started(
    changes: list[str], said: str, images: Images, tmp_path: Path
) -> None:
    done = slim("build", images.make("unstartable", *changes), cwd=tmp_path)
    assert done.code == 6
    assert said in first_line(done)
    assert "strace" not in done.talk and ".slimpy" not in done.talk
    assert not leftovers(images.engine, done.pid)


def test_an_app_that_never_listens(images: Images, tmp_path: Path) -> None:
    done = slim("build", images.odd("idle"), "--ready-timeout", "1", cwd=tmp_path)
    assert done.code == 7
    assert "Nothing listened on 8080 within 1 s" in first_line(done)


def test_an_app_that_listens_on_loopback_only(images: Images, tmp_path: Path) -> None:
    done = slim("build", images.odd("local"), "--ready-timeout", "2", cwd=tmp_path)
    assert done.code == 7
    assert "listens only on 127.0.0.1:8080" in first_line(done)


def test_an_app_that_answers_with_errors_only(images: Images, tmp_path: Path) -> None:
    done = slim("build", images.odd("broken"), "--ready-timeout", "2", cwd=tmp_path)
    assert done.code == 8
    assert "503" in first_line(done)


def test_an_expectation_that_the_original_does_not_meet(images: Images, tmp_path: Path) -> None:
    (tmp_path / "probe.yaml").write_text(
        "version: 1\nhttp:\n  - path: /\n    name: start page\n    expect: {contains: bonjour}\n"
    )
    done = slim("build", images.odd("serve"), "--probe-file", "probe.yaml", cwd=tmp_path)
    assert done.code == 8
    assert "start page" in first_line(done) and "bonjour" in first_line(done)
    command = slim("build", images.odd("serve"), "--exec", "/nope", cwd=tmp_path)
    assert command.code == 8 and "| the program cannot be started: /nope" in command.talk


def test_an_image_that_differs_is_not_tagged(images: Images, tmp_path: Path) -> None:
    image = images.odd("watched")
    tag = image.replace(":", ".slim:")
    done = slim("build", image, "--repair", "0", "--report-dir", "report", cwd=tmp_path)
    assert done.code == 13
    assert "was not slimmed: 1 of" in done.result and "GET /: " in done.result
    assert not images.has(tag)
    report = json.loads((tmp_path / "report/report.json").read_text())
    assert report["status"].startswith("failed: ") and report["slim"]["reference"] == ""
    assert any(
        item["verdict"] == "different" and item["differences"] for item in report["exchanges"]
    )
    kept = slim("build", image, "--repair", "1", "--keep-failed", "--json", cwd=tmp_path)
    assert kept.code == 13 and images.has(tag)
    assert json.loads(kept.result)["status"].startswith("failed: ")
    assert not leftovers(images.engine, done.pid) + leftovers(images.engine, kept.pid)


def test_errors_are_one_json_document_if_wanted(images: Images, tmp_path: Path) -> None:
    cases = {
        4: ("slimpy-test/no-such:1", "--no-pull"),
        2: ("slimpy-test/no-such:1", "--tag", "No\x1b"),
        6: (images.odd("exit"),),
    }
    for code, arguments in cases.items():
        done = slim("build", *arguments, "--json", cwd=tmp_path)
        document = json.loads(done.result)
        assert (done.code, document["exit_code"], document["schema"]) == (
            code,
            code,
            "slimpy-error",
        )
        assert document["message"] in done.talk


def test_metadata_of_an_image_is_hostile(images: Images, tmp_path: Path) -> None:
    escape = "\x1b]0;owned\x07\x1b[31m\nslim: done\r"
    config = {
        "Entrypoint": ["/app", "serve", escape],
        "Env": ["NOEQUALS", f"ESCAPE={escape}", f"{escape}=1", "PATH=/bin"],
        "ExposedPorts": {"8080/tcp": {}, "53/udp": {}},
        "Labels": {escape: escape, "": ""},
        "User": "1000",
        "Volumes": {"/a/../b": {}},
        "WorkingDir": "/x/../y",
        "Healthcheck": {"Test": ["FOO", escape]},
        "StopSignal": "SIGTERM",
    }
    image = images.load_as("hostile", {"config": config})
    done = slim("build", image, "--report-dir", "report", cwd=tmp_path)
    assert done.code in (0, 6), done.talk
    assert not leftovers(images.engine, done.pid)


@pytest.mark.parametrize(
    "config",
    [
        {"ExposedPorts": {"abc/tcp": {}, "99999/tcp": {}, "8080/tcp": {}}},
        {"WorkingDir": "relative/../.."},
        {"Volumes": {"../up": {}}},
        {"User": "no\x1bsuch"},
        {"Healthcheck": {"Test": ["CMD"]}},
        {"Env": ["="]},
        {"Shell": [""], "Healthcheck": {"Test": ["CMD-SHELL", "true"]}},
    ],
    ids=str,
)
def test_a_configuration_that_makes_no_sense(
    config: dict[str, object], images: Images, tmp_path: Path
) -> None:
    whole = {"Entrypoint": ["/app"], "ExposedPorts": {"8080/tcp": {}}, "User": "1000", **config}
    image = images.load_as("senseless", {"config": whole})
    done = slim("build", image, "--ready-timeout", "1", cwd=tmp_path)
    assert done.code in (0, 6, 7, 8), done.talk
    assert done.code == 0 or image in first_line(done) or "health check" in first_line(done)
    assert not leftovers(images.engine, done.pid)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["No Name"], 2, "'No Name' is not the name or ID of an image"),
        (["slimpy-test/no-such:1", "--output", "none/file"], 10, "none/file"),
        (
            ["slimpy-test/no-such:1", "--", "nothing", "x"],
            2,
            "no program 'nothing'",
        ),
        (["slimpy-test/no-such:1", "--probe-file", "none.yaml"], 9, "none.yaml"),
    ],
)
def test_a_trace_that_cannot_be_taken(
    arguments: list[str], code: int, said: str, tmp_path: Path
) -> None:
    done = slim("trace", *arguments, cwd=tmp_path)
    assert done.code == code
    assert said in first_line(done)
    assert not list(tmp_path.iterdir())


def test_why_without_a_report(tmp_path: Path) -> None:
    none = slim("why", "/bin/sh", cwd=tmp_path)
    assert none.code == 16 and "There is no report" in first_line(none)
    missing = slim("why", "/bin/sh", "--report", "nowhere", cwd=tmp_path)
    assert missing.code == 16 and "nowhere" in first_line(missing)
    (tmp_path / "report.json").write_text('{"schema": "\\u001b[31m"}')
    damaged = slim("why", "/bin/sh", "--report", ".", cwd=tmp_path)
    assert damaged.code == 16


def test_why_of_a_path_that_the_image_does_not_have(images: Images, tmp_path: Path) -> None:
    assert slim("build", images.odd("serve"), cwd=tmp_path).code == 0
    known = slim("why", "/app", cwd=tmp_path)
    assert known.code == 0 and "/app" in known.result
    unknown = slim("why", "/no\x1bsuch", cwd=tmp_path)
    assert unknown.code == 16 and "/no\\x1bsuch" in first_line(unknown)


def test_the_name_of_the_original_is_not_taken(images: Images, tmp_path: Path) -> None:
    image = images.make("named", 'ENTRYPOINT ["/app", "serve"]', "EXPOSE 8080")
    before = images.engine.inspect(image, pull=False).id
    done = slim("build", image, "--tag", image, cwd=tmp_path)
    assert done.code == 2
    assert "cannot have the name of the original" in first_line(done)
    assert images.engine.inspect(image, pull=False).id == before


def test_an_entry_point_that_is_dropped_is_named(images: Images, tmp_path: Path) -> None:
    image = images.make("dropped", 'ENTRYPOINT ["/app", "serve"]', "EXPOSE 8080")
    done = slim("build", image, "--drop", "/app", cwd=tmp_path)
    assert done.code == 13
    assert "--drop /app leaves out what the run used" in done.result
