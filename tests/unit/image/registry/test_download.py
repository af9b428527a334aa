"""Images out of a registry that lies, breaks off, and takes its time."""

from __future__ import annotations

import json
import threading

import pytest

from slimpy.errors import ImageNotFoundError, SourceError
from slimpy.image.registry import open_registry, tags
from slimpy.image.registry.answers import Pace
from slimpy.image.registry.retries import PassingError
from tests.unit.image.registry.fake import Fake, FakeTime, access, digest, manifest_json

LAYER = bytes(range(256)) * 4096  # 1 MiB


def read(fake: Fake, clock: FakeTime | None = None, ref: str = "1", **more) -> bytes:
    """The first layer of the image."""
    with open_registry(f"{fake.host}/app:{ref}", access=access(clock, **more)) as source:
        layer = source.manifest.layers[0]
        with source.open(layer) as file:
            return file.read()


def partly(count: int):
    """An answer that says it is whole and ends after so many bytes."""

    def act(handler) -> None:
        data = handler.registry.blobs[handler.path.rpartition("/")[2]]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:count])
        handler.drop()

    return act


def test_an_image(fake):
    fake.add_image(LAYER, b"second", ref="1")
    with open_registry(f"{fake.host}/app:1", access=access()) as source:
        assert source.digest == digest(fake.manifests["1"][1])
        assert source.tags == (f"{fake.host}/app:1",)
        assert json.loads(source.config)["architecture"] == "amd64"
        for layer, data in zip(source.manifest.layers, (LAYER, b"second"), strict=True):
            with source.open(layer) as file:
                assert file.read() == data
    assert [one.path for one in fake.asked("GET", "blobs")] == [
        f"/v2/app/blobs/{blob.digest}" for blob in (source.manifest.config, *source.manifest.layers)
    ], "each is fetched once"
    assert fake.seen[0].headers["user-agent"].startswith("slimpy/")
    assert all("authorization" not in one.headers for one in fake.seen)


def test_a_broken_transfer_goes_on_where_it_broke(fake, clock):
    layer = fake.add_image(LAYER).layers[0]
    fake.on("GET", layer.digest, partly(300_000), times=1)
    assert read(fake, clock) == LAYER
    asked = [one.headers.get("range") for one in fake.asked("GET", layer.digest)]
    assert asked == [None, "bytes=300000-"]
    assert clock.waits == [0.5]


def test_a_registry_without_ranges_sends_it_again(fake):
    layer = fake.add_image(LAYER).layers[0]
    fake.ranges = False
    fake.on("GET", layer.digest, partly(300_000))
    assert read(fake) == LAYER
    assert len(fake.asked("GET", layer.digest)) == 2


def test_progress_counts_attempts_anew(fake, clock):
    layer = fake.add_image(LAYER).layers[0]
    fake.ranges = False
    for count in range(100_000, 900_000, 100_000):  # more often than there are attempts
        fake.on("GET", layer.digest, partly(count))
    assert read(fake, clock) == LAYER
    assert clock.waits == [0.5] * 8


def test_a_transfer_that_never_gets_on_ends(fake, clock):
    layer = fake.add_image(LAYER).layers[0]
    fake.ranges = False
    fake.on("GET", layer.digest, partly(1000), times=1000)
    with pytest.raises(SourceError, match=r"broke|ended after 1000"):
        read(fake, clock)
    assert len(fake.asked("GET", layer.digest)) == 5
    assert clock.waits == [0.5, 1, 2, 4]


def test_a_tampered_blob(fake):
    layer = fake.add_image(LAYER).layers[0]
    fake.blobs[layer.digest] = LAYER[:-1] + b"!"
    with open_registry(f"{fake.host}/app:1", access=access()) as source:  # noqa: SIM117
        with source.open(layer) as file:
            assert file.read(1000) == LAYER[:1000]
            with pytest.raises(SourceError, match="its digest is"):
                file.read()


@pytest.mark.parametrize("data", [LAYER[:-1], LAYER + b"more", b""])
def test_a_blob_of_another_size(fake, data):
    layer = fake.add_image(LAYER).layers[0]
    fake.blobs[layer.digest] = data
    with pytest.raises(SourceError, match=f"has {len(data)} bytes in the registry"):
        read(fake)


def test_a_blob_that_does_not_end(fake):
    """Without a length the bytes themselves are counted."""
    layer = fake.add_image(LAYER).layers[0]

    def chunked(handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(LAYER), LAYER))

    fake.on("GET", layer.digest, chunked)
    with pytest.raises(SourceError, match="longer than"):
        read(fake)


def test_a_part_that_was_not_asked_for(fake):
    layer = fake.add_image(LAYER).layers[0]
    fake.on("GET", layer.digest, partly(300_000))
    wrong = {"Content-Range": f"bytes 5-{len(LAYER) - 1}/{len(LAYER)}"}
    fake.on("GET", layer.digest, lambda handler: handler.reply(206, LAYER[5:], **wrong))
    with pytest.raises(SourceError, match="another part"):
        read(fake)


def test_a_missing_blob(fake):
    layer = fake.add_image(LAYER).layers[0]
    del fake.blobs[layer.digest]
    with pytest.raises(SourceError, match="is not there") as caught:
        read(fake)
    assert not isinstance(caught.value, ImageNotFoundError)


def test_an_unknown_tag(fake):
    fake.add_image(LAYER)
    with pytest.raises(ImageNotFoundError, match="MANIFEST_UNKNOWN: no such"):
        read(fake, ref="2")


def test_a_manifest_that_is_not_the_one_asked_for(fake):
    image = fake.add_image(LAYER)
    wanted = digest(manifest_json(image))
    fake.manifests[wanted] = (fake.manifests["1"][0], manifest_json(image, annotations={"a": "b"}))
    tampered = open_registry(f"{fake.host}/app@{wanted}", access=access())
    with pytest.raises(SourceError, match="damaged: its digest is"), tampered:
        pass


def test_a_manifest_that_does_not_fit_its_header(fake):
    fake.add_image(LAYER)
    _, data = fake.manifests["1"]
    told = digest(b"other")
    fake.on("GET", "manifests/1", lambda it: it.reply(200, data, Docker_Content_Digest=told))
    with pytest.raises(SourceError, match="damaged"):
        read(fake)


def test_a_huge_manifest(fake):
    fake.add_image(LAYER)
    kind, data = fake.manifests["1"]
    fake.manifests["1"] = (kind, data + b" " * (4 << 20))
    with pytest.raises(SourceError, match="more than 4194304 bytes"):
        read(fake)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_registry_is_asked_again(fake, clock, status):
    fake.add_image(LAYER)
    fake.on("GET", "manifests", lambda it: it.reply(status), times=2)
    assert read(fake, clock) == LAYER
    assert clock.waits == [0.5, 1.0]


def test_the_registry_says_how_long_to_wait(fake, clock):
    fake.add_image(LAYER)
    fake.on("GET", "manifests", lambda it: it.reply(429, Retry_After="7"))
    assert read(fake, clock) == LAYER
    assert clock.waits == [7.0]


def test_a_wait_that_is_too_long(fake, clock):
    fake.on("GET", "manifests", lambda it: it.reply(429, Retry_After="3600"))
    with pytest.raises(SourceError, match="429") as caught:
        read(fake, clock)
    assert clock.waits == []
    assert "3600 s" in caught.value.hint


def test_a_registry_that_stays_busy(fake, clock):
    fake.on("GET", "manifests", lambda it: it.reply(503), times=100)
    with pytest.raises(SourceError, match="answered 503"):
        read(fake, clock)
    assert len(fake.seen) == 5


def test_a_connection_that_ends_at_once(fake, clock):
    fake.add_image(LAYER)
    fake.on("GET", "manifests", lambda it: it.drop(), times=2)
    assert read(fake, clock) == LAYER
    assert clock.waits == [0.5, 1.0]


def test_a_document_that_breaks_off_is_fetched_again(fake):
    image = fake.add_image(LAYER)

    def half(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "500")
        handler.end_headers()
        handler.wfile.write(b"{")
        handler.drop()

    fake.on("GET", "manifests", half)
    assert read(fake) == LAYER
    assert image.layers


def test_nobody_is_there(free_port, clock):
    absent = open_registry(f"127.0.0.1:{free_port}/app", access=access(clock))
    with pytest.raises(SourceError, match="no answer"), absent:
        pass
    assert len(clock.waits) == 4


def test_a_silent_registry(fake):
    release = threading.Event()
    fake.on("GET", "manifests", lambda it: release.wait(30), times=100)
    try:
        with pytest.raises(SourceError, match="timed out"):
            read(fake, read_seconds=0.1)
        assert len(fake.seen) == 5
    finally:
        release.set()


class Drip:
    """An answer one byte at a time, each after some seconds."""

    def __init__(self, clock: FakeTime, seconds: float) -> None:
        self.clock, self.seconds, self.raw = clock, seconds, self

    def read1(self, size: int, decode_content: bool) -> bytes:
        self.clock.time += self.seconds
        return b"x"


def test_a_dripping_answer_ends(clock):
    pace = Pace(clock.now)
    drip = Drip(clock, 5.0)
    for _ in range(11):
        assert pace.read(drip, 10) == b"x"  # type: ignore[arg-type]
    with pytest.raises(PassingError, match="only 12 bytes in a minute"):
        pace.read(drip, 10)  # type: ignore[arg-type]


def test_the_time_of_the_reader_does_not_count(clock):
    pace = Pace(clock.now)
    for _ in range(100):
        assert pace.read(Drip(clock, 0.1), 10) == b"x"  # type: ignore[arg-type]
        clock.time += 3600


def test_tags_in_pages(fake):
    first = json.dumps({"tags": ["1", "2", "no tag!", 5]}).encode()
    link = {"Link": '</v2/app/tags/list?n=1000&last=2>; rel="next"'}
    fake.on("GET", r"tags/list\?n=1000$", lambda it: it.reply(200, first, **link))
    fake.tags = ["2", "3"]
    assert tags(f"{fake.host}/app", access=access()) == ("1", "2", "3")


def test_tags_of_another_host_are_not_asked_for(fake, registries):
    other = registries()
    link = {"Link": f'<http://{other.host}/v2/app/tags/list>; rel="next"'}
    fake.on("GET", "tags/list", lambda it: it.reply(200, b'{"tags":["1"]}', **link))
    with pytest.raises(SourceError, match="another host"):
        tags(f"{fake.host}/app", access=access())
    assert not other.seen


def test_tags_without_an_end(fake):
    link = {"Link": '</v2/app/tags/list?n=1000>; rel="next"'}
    fake.on("GET", "tags/list", lambda it: it.reply(200, b'{"tags":["1"]}', **link), times=2000)
    with pytest.raises(SourceError, match="no end"):
        tags(f"{fake.host}/app", access=access())
