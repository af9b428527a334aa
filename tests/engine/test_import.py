"""Images from outside in an engine's store: the same image, there while it is needed, then gone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from slimpy.engine.acquire import acquired
from slimpy.engine.docker import DockerEngine
from slimpy.engine.docker_import import image_of
from slimpy.engine.protocol import RunSpec
from slimpy.engine.session import TEMPORARY_REPOSITORY
from slimpy.errors import ImageNotFoundError, PlatformError, SourceError
from slimpy.image import hybrid
from slimpy.image.oci import LAYER_TYPE, Descriptor, ImageSource
from slimpy.image.references import parse
from slimpy.image.sources import open_source
from tests.sources import MemorySource, digest, memory

pytestmark = pytest.mark.engine

SAMPLE = "slimpy-sample/static-c"


@pytest.fixture(scope="module", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> DockerEngine:
    """Each engine in turn."""
    name = "engine" if request.param == "docker" else "podman_engine"
    found: DockerEngine = request.getfixturevalue(name)
    return found


def temporary(engine: DockerEngine) -> set[str]:
    images = engine._client.api.images()
    tags = {tag for image in images for tag in image.get("RepoTags") or ()}
    return {tag for tag in tags if TEMPORARY_REPOSITORY in tag}


def is_there(engine: DockerEngine, image: str) -> bool:
    with contextlib.suppress(ImageNotFoundError):
        engine.inspect(image, pull=False)
        return True
    return False


def changed(source: ImageSource, place: Path, **config: object) -> MemorySource:
    """The sample under another identity, so that no engine has it."""
    import json

    document = json.loads(source.config) | {"author": str(place)} | config
    blobs = {}
    for layer in source.manifest.layers:
        with source.open(layer) as file:
            blobs[layer.digest] = file.read()
    data = json.dumps(document).encode()
    manifest = replace(
        source.manifest, config=replace(source.manifest.config, digest=digest(data), size=len(data))
    )
    return MemorySource(data, blobs, manifest, tags=("team/app:1",))


@pytest.fixture
def sample(engine: DockerEngine, tmp_path: Path) -> Iterator[MemorySource]:
    with engine.export(engine.inspect(SAMPLE, pull=False)) as source:
        yield changed(source, tmp_path)


def test_an_image_is_there_until_the_end(engine: DockerEngine, sample: MemorySource) -> None:
    before = temporary(engine)
    with engine.import_image(sample) as image:
        assert image.id == digest(sample.config)
        assert (image.reference, image.tags) == ("memory", ("team/app:1",))
        assert image.config["Cmd"] == image_of(sample).config["Cmd"]
        with (
            engine.workspace(image) as workspace,
            workspace.run(RunSpec(traced=False, command=("--help",))) as container,
        ):
            container.start()
            assert container.wait(30.0) is not None
            assert b"usage" in b"".join(container.output())
    assert not is_there(engine, image.id)
    assert temporary(engine) == before


def test_what_is_there_already_stays_and_is_not_read(engine: DockerEngine) -> None:
    known = engine.inspect(SAMPLE, pull=False)
    with engine.export(known) as source:
        seen = MemorySource(source.config, {}, source.manifest)
        with engine.import_image(seen) as image:
            assert image.id == known.id and not seen.opened
    assert is_there(engine, SAMPLE)


@pytest.mark.parametrize("form", ["docker-archive:{}/x.tar", "oci-archive:{}/x.tar:v1"])
def test_archives_are_read_through(
    engine: DockerEngine, sample: MemorySource, tmp_path: Path, form: str
) -> None:
    data = b"".join(hybrid.stream((sample,), "v1", ("team/app:1",)))
    (tmp_path / "x.tar").write_bytes(data)
    with acquired(engine, form.format(tmp_path)) as image:
        assert image.id == digest(sample.config)
        assert image.reference == form.format(tmp_path)
    assert not is_there(engine, image.id)


def test_zstd_layers_are_decompressed_on_the_way(
    engine: DockerEngine, sample: MemorySource
) -> None:
    layers, blobs = [], {}
    for layer in sample.manifest.layers:
        data = zstandard.compress(sample.blobs[layer.digest])
        layers.append(Descriptor(f"{LAYER_TYPE}+zstd", digest(data), len(data)))
        blobs[digest(data)] = data
    manifest = replace(sample.manifest, layers=tuple(layers))
    packed = replace(sample, blobs=blobs, manifest=manifest)
    with engine.import_image(packed) as image:
        assert image.id == digest(sample.config)


def test_a_damaged_layer_leaves_nothing(engine: DockerEngine, sample: MemorySource) -> None:
    before = temporary(engine)
    last = sample.manifest.layers[-1].digest
    damaged = {**sample.blobs, last: sample.blobs[last][:-1] + b"!"}
    with pytest.raises(SourceError), engine.import_image(replace(sample, blobs=damaged)):
        pass
    assert not is_there(engine, digest(sample.config))
    assert temporary(engine) == before


def test_an_image_that_says_other_layers_than_it_has_is_refused(engine: DockerEngine) -> None:
    made, other = memory(b"one"), memory(b"two")
    lying = replace(made, manifest=other.manifest, blobs={**made.blobs, **other.blobs})
    with pytest.raises(SourceError, match="refused"), engine.import_image(lying):
        pass
    assert not is_there(engine, digest(made.config))


def test_another_machines_image_is_refused_before_it_is_read(engine: DockerEngine) -> None:
    made = memory(b"one", architecture="s390x")
    with pytest.raises(PlatformError, match="s390x"), engine.import_image(made):
        pass
    assert not made.opened


def test_the_store_of_one_engine_feeds_the_other(
    engine: DockerEngine, podman_engine: DockerEngine, sample: MemorySource
) -> None:
    """What one exports, the other imports, under the same ID."""
    with (
        podman_engine.import_image(sample) as there,
        podman_engine.export(there) as source,
        engine.import_image(source) as here,
    ):
        assert here.id == there.id


def test_an_output_of_ours_is_loaded_by_the_engine(
    engine: DockerEngine, sample: MemorySource, tmp_path: Path
) -> None:
    file = tmp_path / "x.tar"
    file.write_bytes(b"".join(hybrid.stream((sample,), "v1", ("slimpy-test/loaded:v1",))))
    image = engine.load(file, "slimpy-test/loaded:v1")
    try:
        with open_source(parse(f"docker-archive:{file}")) as source:
            assert image.id == source.digest
    finally:
        engine.remove_tag("slimpy-test/loaded:v1")
