"""Documents of every kind that a registry may give away, most of them wrong."""

from __future__ import annotations

import json

import pytest

from slimpy.errors import PlatformError, SourceError
from slimpy.image.oci import (
    DOCKER_INDEX_TYPE,
    DOCKER_MANIFEST_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Platform,
)
from slimpy.image.registry import entries, open_registry
from slimpy.image.registry.documents import recognised
from tests.unit.image.registry.fake import Fake, access, digest, manifest_json

SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def refusal(content: bytes, content_type: str = MANIFEST_TYPE) -> str:
    with pytest.raises(SourceError) as caught:
        recognised(content, content_type, "It")
    return caught.value.message


def listing(*items: tuple[Descriptor, dict[str, str] | None], **more) -> bytes:
    found = []
    for item, platform in items:
        entry = {"mediaType": item.media_type, "digest": item.digest, "size": item.size}
        found.append(entry | ({"platform": platform} if platform else {}) | more)
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": found}).encode()


def image(fake: Fake, name: str, **config) -> Descriptor:
    """A manifest of its own in the registry."""
    fake.add_image(name.encode(), ref=name, **config)
    return Descriptor(MANIFEST_TYPE, digest(fake.manifests[name][1]), len(fake.manifests[name][1]))


def index(fake: Fake, *platforms: str) -> None:
    items = []
    for text in platforms:
        parts = dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))
        items.append((image(fake, text.replace("/", "-"), **parts), parts))
    fake.add_manifest(listing(*items), INDEX_TYPE, "1")


def chosen(fake: Fake, platform: Platform | None) -> str:
    with open_registry(f"{fake.host}/app:1", platform, access=access()) as source:
        layer = source.manifest.layers[0]
        with source.open(layer) as file:
            return file.read().decode()


@pytest.mark.parametrize(
    "kind", [MANIFEST_TYPE, DOCKER_MANIFEST_TYPE, f"{MANIFEST_TYPE}; charset=utf-8"]
)
def test_manifests(kind):
    found = recognised(b'{"config": {}}', kind, "It")
    assert (found.media_type, found.is_index) == (kind.partition(";")[0], False)


@pytest.mark.parametrize("kind", [INDEX_TYPE, DOCKER_INDEX_TYPE])
def test_indexes(kind):
    assert recognised(b'{"manifests": []}', kind, "It").is_index


def test_the_document_says_what_the_header_does_not():
    content = json.dumps({"mediaType": INDEX_TYPE, "manifests": []}).encode()
    assert recognised(content, "application/json", "It").is_index


@pytest.mark.parametrize(
    ("content", "kind", "why"),
    [
        (b'{"schemaVersion": 1}', MANIFEST_TYPE, "old schema 1"),
        (b"{}", SCHEMA_1, "old schema 1"),
        (b'{"fsLayers": []}', "", "old schema 1"),
        (b"{}", "application/json", "does not say what it is"),
        (b"{}", "text/html", "is text/html, which"),
        (b'{"mediaType": "x/\\u001b[31m"}', "", r"x/\x1b[31m"),
        (json.dumps({"mediaType": INDEX_TYPE}).encode(), MANIFEST_TYPE, "the registry"),
        (b'{"config": {}, "manifests": []}', MANIFEST_TYPE, "parts of something else"),
        (b'{"layers": [], "manifests": []}', INDEX_TYPE, "parts of something else"),
        (b'{"manifests": []}', MANIFEST_TYPE, "parts of something else"),
        (b'{"config": {}}', INDEX_TYPE, "parts of something else"),
        (b"[]", MANIFEST_TYPE, "not a JSON object"),
        (b"<html>", MANIFEST_TYPE, "is not JSON"),
        (b"[" * 100_000, MANIFEST_TYPE, "is not JSON"),
        (b'{"schemaVersion": 1' + b"0" * 5000 + b"}", MANIFEST_TYPE, "is not JSON"),
        (b"\xff\xfe", MANIFEST_TYPE, "is not JSON"),
    ],
)
def test_documents_that_are_refused(content, kind, why):
    assert why in refusal(content, kind)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (FOREIGN, "no registry may give away"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "no registry may give"),
        ("application/x-rpm", "'application/x-rpm'"),
        ("", "''"),
    ],
)
def test_layers_that_are_refused(fake, layer, why):
    made = fake.add_image(b"layer")
    odd = Descriptor(layer, made.layers[0].digest, made.layers[0].size)
    data = manifest_json(type(made)(made.config, (odd,)))
    fake.add_manifest(data, MANIFEST_TYPE, "1")
    with pytest.raises(SourceError) as caught:
        chosen(fake, None)
    assert why in caught.value.message
    assert not fake.asked("GET", "blobs")


def test_an_artifact_is_no_image(fake):
    made = fake.add_image(b"layer")
    odd = Descriptor("application/vnd.cncf.helm.config.v1+json", made.config.digest, 3)
    fake.add_manifest(manifest_json(type(made)(odd, made.layers)), MANIFEST_TYPE, "1")
    with pytest.raises(SourceError, match="no container image"):
        chosen(fake, None)


def test_a_configuration_of_another_number_of_layers(fake):
    made = fake.add_image(b"layer")
    data = manifest_json(type(made)(made.config, made.layers * 2))
    fake.add_manifest(data, MANIFEST_TYPE, "1")
    with pytest.raises(SourceError, match="2 layers where 1"):
        chosen(fake, None)


def test_a_huge_configuration_is_not_fetched(fake):
    made = fake.add_image(b"layer")
    huge = Descriptor(made.config.media_type, made.config.digest, 5 << 20)
    fake.add_manifest(manifest_json(type(made)(huge, made.layers)), MANIFEST_TYPE, "1")
    with pytest.raises(SourceError, match="5242880 bytes"):
        chosen(fake, None)
    assert not fake.asked("GET", "blobs")


@pytest.mark.parametrize(
    "digest_", ["sha512:" + "0" * 128, "sha256:../../etc/passwd", "sha256:" + "A" * 64, "", None, 5]
)
def test_digests_that_cannot_be_checked(fake, digest_):
    made = fake.add_image(b"layer")
    value = json.loads(manifest_json(made))
    value["layers"][0]["digest"] = digest_
    fake.add_manifest(json.dumps(value).encode(), MANIFEST_TYPE, "1")
    with pytest.raises(SourceError, match="digest that is not sha256"):
        chosen(fake, None)


@pytest.mark.parametrize(
    ("wanted", "layer"),
    [
        (Platform("linux", "amd64"), "linux-amd64"),
        (Platform("linux", "arm64"), "linux-arm64-v8"),
        (Platform("linux", "arm", "v7"), "linux-arm-v7"),
        (Platform("linux", "arm", "v6"), "linux-arm-v6"),
        (Platform("linux", "arm"), "linux-arm-v7"),
    ],
)
def test_the_image_for_a_platform(fake, wanted, layer):
    index(fake, "linux/amd64", "linux/arm/v6", "linux/arm64/v8", "linux/arm/v7")
    assert chosen(fake, wanted) == layer


def test_a_platform_that_is_not_there(fake):
    index(fake, "linux/amd64", "linux/arm/v6", "linux/arm64/v8")
    with pytest.raises(PlatformError, match="linux/amd64, linux/arm/v6, linux/arm64/v8"):
        chosen(fake, Platform("linux", "s390x"))
    with pytest.raises(PlatformError):
        chosen(fake, Platform("linux", "arm", "v8"))


def test_a_single_image_for_another_platform(fake):
    fake.add_image(b"layer", architecture="s390x")
    assert chosen(fake, None) == "layer"
    with pytest.raises(PlatformError, match="is for linux/s390x, not linux/amd64"):
        chosen(fake, Platform("linux", "amd64"))


def test_a_single_image_of_another_variant(fake):
    fake.add_image(b"layer", architecture="arm", variant="v6")
    assert chosen(fake, Platform("linux", "arm", "v6")) == "layer"
    with pytest.raises(PlatformError, match="linux/arm/v6"):
        chosen(fake, Platform("linux", "arm", "v8"))


def test_an_index_that_lies_about_an_image(fake):
    odd = image(fake, "odd", architecture="s390x")
    data = listing((odd, {"os": "linux", "architecture": "amd64"}))
    fake.add_manifest(data, INDEX_TYPE, "1")
    with pytest.raises(PlatformError, match="s390x"):
        chosen(fake, Platform("linux", "amd64"))


def test_attestations_are_passed_over(fake):
    real = image(fake, "real")
    attest = image(fake, "attest")
    unknown = {"os": "unknown", "architecture": "unknown"}
    data = listing((attest, unknown), (real, {"os": "linux", "architecture": "amd64"}))
    fake.add_manifest(data, INDEX_TYPE, "1")
    assert chosen(fake, None) == "real"
    assert [item.digest for item in entries(f"{fake.host}/app:1", access=access())] == [real.digest]


def test_entries_without_a_platform_are_looked_up(fake):
    first, second = image(fake, "first", architecture="arm64"), image(fake, "second")
    fake.add_manifest(listing((first, None), (second, None)), INDEX_TYPE, "1")
    found = entries(f"{fake.host}/app:1", access=access())
    assert [str(item.platform) for item in found] == ["linux/arm64", "linux/amd64"]
    assert chosen(fake, Platform("linux", "amd64")) == "second"


def test_a_name_that_is_no_index_has_one_entry(fake):
    made = image(fake, "1", architecture="arm64")
    (found,) = entries(f"{fake.host}/app:1", access=access())
    assert (found.digest, found.size, str(found.platform)) == (
        made.digest,
        made.size,
        "linux/arm64",
    )


def test_an_index_in_an_index(fake):
    inner = listing((image(fake, "deep"), {"os": "linux", "architecture": "amd64"}))
    for _ in range(3):
        inner = listing((fake.add_manifest(inner, INDEX_TYPE), None))
    fake.add_manifest(inner, INDEX_TYPE, "1")
    assert chosen(fake, Platform("linux", "amd64")) == "deep"
    fake.add_manifest(listing((fake.add_manifest(inner, INDEX_TYPE), None)), INDEX_TYPE, "1")
    with pytest.raises(SourceError, match="too many other indexes"):
        chosen(fake, Platform("linux", "amd64"))


def test_an_index_of_many_indexes(fake):
    inner = fake.add_manifest(listing(), INDEX_TYPE)
    fake.add_manifest(listing(*[(inner, None)] * 1000), INDEX_TYPE, "1")
    with pytest.raises(SourceError, match="too many other indexes"):
        chosen(fake, None)
    assert len(fake.seen) < 50


def test_an_entry_of_another_size(fake):
    made = image(fake, "real")
    odd = Descriptor(made.media_type, made.digest, made.size + 1)
    data = listing((odd, {"os": "linux", "architecture": "amd64"}))
    fake.add_manifest(data, INDEX_TYPE, "1")
    with pytest.raises(SourceError, match="is not what its index says"):
        chosen(fake, None)


def test_an_empty_index(fake):
    fake.add_manifest(listing(), INDEX_TYPE, "1")
    with pytest.raises(PlatformError, match="holds no images"):
        chosen(fake, None)


def test_compressed_layers_come_as_they_are(fake):
    """Bytes of a layer are not unpacked, whatever an answer says about its coding."""
    made = fake.add_image(b"\x28\xb5\x2f\xfd zstd")
    layer = Descriptor(f"{LAYER_TYPE}+zstd", made.layers[0].digest, made.layers[0].size)
    data = manifest_json(type(made)(made.config, (layer,)))
    fake.add_manifest(data, MANIFEST_TYPE, "1")
    blob = fake.blobs[layer.digest]
    fake.on("GET", layer.digest, lambda it: it.reply(200, blob, Content_Encoding="gzip"))
    with open_registry(f"{fake.host}/app:1", access=access()) as source:
        assert source.manifest.layers[0].media_type == f"{LAYER_TYPE}+zstd"
        with source.open(source.manifest.layers[0]) as file:
            assert file.read() == blob
