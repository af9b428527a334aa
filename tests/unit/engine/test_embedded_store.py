"""The embedded engine's store: nothing half-visible, nothing removed that is in use, bounded."""

from __future__ import annotations

import dataclasses
import gzip
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from slimpy.engine.embedded.namespaces import Kind, Mapping
from slimpy.engine.embedded.store import LayerStore, default_directory
from slimpy.errors import ImageNotFoundError, OutputError, SourceError
from slimpy.image.oci import LAYER_TYPE, Descriptor
from slimpy.model import Image
from tests.sources import MemorySource, configuration, digest, memory, tar

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other users")

ROOT = Mapping(Kind.ROOT)


@pytest.fixture
def store(tmp_path: Path) -> LayerStore:
    return LayerStore(tmp_path / "store", ROOT)


def image_of(plain: bytes, stored: bytes | None = None, **more: Any) -> MemorySource:
    """An image with this archive as its only layer, as it is stored."""
    stored = plain if stored is None else stored
    config = configuration((plain,), **more)
    blob = Descriptor(LAYER_TYPE, digest(stored), len(stored))
    made = memory()
    manifest = dataclasses.replace(made.manifest, layers=(blob,))
    return MemorySource(config, {blob.digest: stored}, manifest)


def text(store: LayerStore, image: Image) -> list[bytes]:
    return [
        path.read_bytes()
        for top in store.layers(image)
        for path in top.rglob("*")
        if path.is_file()
    ]


def partial(store: LayerStore) -> list[Path]:
    return list((store.directory / "partial").iterdir())


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip in members": lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
    "zstd": zstandard.compress,
    "zstd in frames": lambda data: zstandard.compress(data[:9]) + zstandard.compress(data[9:]),
}


@pytest.mark.parametrize("form", FORMS)
def test_layers_are_unpacked_whatever_they_are_compressed_with(
    form: str, store: LayerStore
) -> None:
    plain = tar({"a": b"x" * 3000})
    image = store.add(image_of(plain, FORMS[form](plain)), ("app:1",))
    assert text(store, image) == [b"x" * 3000]
    assert (image.size, image.layers) == (3000, (digest(plain),))
    assert store.find("app:1") is not None and not partial(store)


def test_an_archive_without_its_end_mark_is_whole(store: LayerStore) -> None:
    bare = tar({"a": b"x"})[:1024]
    assert text(store, store.add(image_of(bare))) == [b"x"]


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:1800],
    "cut after a member": lambda data: data[:1024],
    "more behind its end": lambda data: data + b"more",
    "cut gzip": lambda data: gzip.compress(data)[:-9],
    "damaged gzip": lambda data: gzip.compress(data)[:20] + b"\xff" * 50,
    "cut zstd": lambda data: zstandard.compress(data)[:-9],
    "nothing": lambda data: b"",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_layer_leaves_nothing(damage: str, store: LayerStore) -> None:
    plain = tar({"a": b"x", "b": b"y" * 900})
    with pytest.raises(SourceError):
        store.add(image_of(plain, DAMAGED[damage](plain)), ("app:1",))
    assert not store.records() and not store.layer_facts() and not partial(store)


def test_a_layer_is_read_once_and_shared(store: LayerStore) -> None:
    first, second = memory(b"base", b"one"), memory(b"base", b"two")
    store.add(first, ("one:1",))
    store.add(second, ("two:1",))
    assert (len(first.opened), len(second.opened), len(store.layer_facts())) == (2, 1, 3)
    store.remove_tag("one:1")
    assert len(store.layer_facts()) == 2


def test_what_was_left_out_is_said_of_every_image_with_that_layer(store: LayerStore) -> None:
    sly = tarfile.TarInfo("x")
    sly.pax_headers = {"SCHILY.xattr.trusted.overlay.redirect": "/etc"}
    plain = tar({"x": sly})
    store.add(image_of(plain))
    store.add(image_of(plain, author="another"))
    said = [record.skipped for record in store.records()]
    assert len(said) == 2 and said[0] == said[1]
    assert said[0] == ("extended attributes that overlayfs would obey are left out (1)",)


def test_nobody_else_reaches_what_an_image_brings(tmp_path: Path) -> None:
    place = tmp_path / "store"
    (place / "root").mkdir(parents=True, mode=0o755)
    store = LayerStore(place, ROOT)
    evil = tarfile.TarInfo("evil")
    evil.mode = 0o4755
    image = store.add(image_of(tar({"evil": evil})))
    assert stat.S_IMODE((store.layers(image)[0] / "evil").stat().st_mode) == 0o4755
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700


def test_the_umask_is_no_part_of_an_image(store: LayerStore) -> None:
    before = os.umask(0o077)
    try:
        image = store.add(image_of(tar({"usr/bin/app": b"x"})))
    finally:
        os.umask(before)
    top = store.layers(image)[0]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (top, top / "usr", top / "usr/bin")}
    assert modes == {0o755}


def test_an_image_in_use_stays(store: LayerStore) -> None:
    image = store.add(memory(b"one"), ("app:1",))
    with store.using(image):
        store.remove_tag("app:1")
        store.clear()
        assert not store.remove(image.id)
        assert text(store, image) == [b"one"]
    assert store.find("app:1") is None
    assert store.remove(image.id)
    assert not store.layer_facts()
    with pytest.raises(ImageNotFoundError), store.using(image):
        pass


def test_layers_of_an_image_on_its_way_stay(store: LayerStore) -> None:
    store.add(memory(b"other"), ("other:1",))

    class Removing(MemorySource):
        """While its second layer is read, another process tidies up."""

        def open(self, blob: Descriptor) -> Any:
            if self.opened:
                LayerStore(store.directory.parent, ROOT).remove_tag("other:1")
            return super().open(blob)

    made = memory(b"one", b"two")
    source = Removing(made.config, made.blobs, made.manifest)
    assert text(store, store.add(source, ("app:1",))) == [b"one", b"two"]
    assert store.find("other:1") is None


def test_the_least_recently_used_goes_first_and_the_newest_stays(tmp_path: Path) -> None:
    store = LayerStore(tmp_path, ROOT, limit=2500)
    named = store.add(memory(b"n" * 1000), ("app:1",))
    old = store.add(memory(b"o" * 1000))
    new = store.add(memory(b"m" * 1000))
    assert [store.find(image.id) is None for image in (named, old, new)] == [False, True, False]
    large = store.add(memory(b"l" * 9000))
    assert text(store, large) == [b"l" * 9000] and store.find(new.id) is None


def test_an_image_is_found_by_its_names_and_by_what_its_id_begins_with(store: LayerStore) -> None:
    image = store.add(memory(b"one"), ("host:5000/app",))
    digits = image.id.removeprefix("sha256:")
    for name in ("host:5000/app", "host:5000/app:latest", image.id, digits, digits[:12]):
        assert store.find(name) is not None, name
    for name in ("app", "host:5000/app:1", digits[:5], f"{digits}0", "sha256:"):
        assert store.find(name) is None, name
    other = store.add(memory(b"two"), (digits[:12],))
    found = store.find(digits[:12])
    assert found is not None and found.id == other.id  # a name goes before an ID


def test_an_id_that_two_images_begin_with_is_none(store: LayerStore) -> None:
    from slimpy.engine.embedded.records import Record, found

    ids = ("sha256:" + "ab" * 32, "sha256:" + "ab" * 31 + "cd")
    records = {name: Record(id=name, config="{}", layers=(), size=0) for name in ids}
    assert found(records, "ab" * 6) is None
    assert found(records, ids[1]) is records[ids[1]]


def test_a_name_belongs_to_the_last_image_that_got_it(store: LayerStore) -> None:
    first = store.add(memory(b"one"), ("app:1",))
    second = store.add(memory(b"two"), ("app:1",))
    found = store.find("app:1")
    assert found is not None and found.id == second.id
    store.tag(first, "app:1")
    store.remove_tag("app")  # another name
    found = store.find("app:1")
    assert found is not None and found.id == first.id


ADDING = """
import os, sys
from pathlib import Path
from slimpy.engine.embedded.namespaces import Kind, Mapping
from slimpy.engine.embedded.store import LayerStore
from tests.sources import memory
source = memory(*(bytes([65 + n]) * 50_000 for n in range(8)))
if sys.argv[2] == "die":
    opened = type(source).open
    def open(self, blob):
        if len(self.opened) == 3:
            os._exit(9)
        return opened(self, blob)
    type(source).open = open
image = LayerStore(Path(sys.argv[1]), Mapping(Kind.ROOT)).add(source, ("app:1",))
print(image.id)
"""


def adding(place: Path, how: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", ADDING, str(place), how]
    return subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])


def test_two_processes_add_the_same_image(tmp_path: Path) -> None:
    both = [adding(tmp_path, "live"), adding(tmp_path, "live")]
    said = {process.communicate(timeout=60)[0] for process in both}
    store = LayerStore(tmp_path, ROOT)
    assert [process.returncode for process in both] == [0, 0]
    assert said == {f"{store.records()[0].id}\n"}
    assert (len(store.records()), len(store.layer_facts())) == (1, 8)


def test_a_process_that_died_leaves_nothing_half(tmp_path: Path) -> None:
    process = adding(tmp_path, "die")
    process.communicate(timeout=60)
    assert process.returncode == 9
    assert list((tmp_path / "root/partial").iterdir())
    store = LayerStore(tmp_path, ROOT)
    assert not partial(store) and not store.records()
    store.clear()
    assert not store.layer_facts()


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(OutputError, match="no home"):
        default_directory()


FULL = """
import os, sys
from pathlib import Path
from slimpy.engine.embedded.namespaces import Kind, Mapping
from slimpy.engine.embedded.store import LayerStore
from slimpy.errors import DiskFullError
from tests.sources import memory
store = LayerStore(Path(sys.argv[1]), Mapping(Kind.ROOT))
before = os.statvfs(sys.argv[1]).f_bfree
try:
    store.add(memory(b"x" * 4_000_000))
except DiskFullError as error:
    print(error.exit_code, os.statvfs(sys.argv[1]).f_bfree >= before - 4, store.layer_facts())
"""


def test_a_full_disk_is_told_and_cleaned_up(tmp_path: Path) -> None:
    """On a small file system that only the child sees."""
    script = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path), sys.executable, FULL]
    root = Path(__file__).parents[3]
    said = subprocess.run(argv, text=True, capture_output=True, cwd=root, timeout=60)
    assert (said.stdout, said.returncode) == ("11 True ()\n", 0), said.stderr
    assert not list(tmp_path.iterdir())


def test_the_history_is_that_of_the_configuration(store: LayerStore) -> None:
    from slimpy.engine.embedded.records import Record, steps

    said = (
        '{"history": [{"created_by": "COPY a b", "created": "2026-01-01T00:00:00Z"}, 7,'
        ' {"created_by": "ENV A=b", "empty_layer": true}, {"created_by": 3, "comment": "c"}]}'
    )
    record = Record(id="sha256:aa", config=said, layers=("a", "b"), size=12)
    found = steps(record, [5, 7])
    assert [(step.created_by, step.comment) for step in found] == [
        ("COPY a b", ""),
        ("ENV A=b", ""),
        ("", "c"),
    ]
    assert [(step.size, step.empty) for step in found] == [(5, False), (0, True), (7, False)]
    assert [step.size for step in steps(record, [5])] == [None, 0, None], "which is which?"
    assert store.history(store.add(memory(b"one"))) == ()
