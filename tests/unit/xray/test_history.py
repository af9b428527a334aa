"""What builders wrote into the history, as a Dockerfile again."""

from __future__ import annotations

import pytest

from slimpy.xray.history import by_layer, instructions


def entry(text: str, **more: object) -> dict[str, object]:
    return {"created_by": text, **more}


@pytest.mark.parametrize(
    ("said", "text", "arguments"),
    [
        ('/bin/sh -c #(nop)  CMD ["/app"]', 'CMD ["/app"]', ""),
        (
            "/bin/sh -c #(nop) ADD file:0123456789abcdef in / ",
            "ADD file:0123456789abcdef /",
            "",
        ),
        ("/bin/sh -c apt-get update", "RUN apt-get update", ""),
        ("|1 A=b /bin/sh -c make $A", "RUN make $A", "A=b"),
        ("RUN /bin/sh -c make # buildkit", "RUN make", ""),
        ("RUN |2 A=b C=d e /bin/sh -c make # buildkit", "RUN make", "A=b C=d e"),
        ("COPY a b # buildkit", "COPY a b", ""),
        ("EXPOSE map[80/tcp:{} 443/tcp:{}]", "EXPOSE 80/tcp 443/tcp", ""),
        ("/bin/bash -o pipefail -c make", "RUN /bin/bash -o pipefail -c make", ""),
        ("bazel build ...", "# bazel build ...", ""),
        ("# debian.sh --arch 'amd64'", "# debian.sh --arch 'amd64'", ""),
        ("", "# (the history does not say)", ""),
    ],
)
def test_instructions(said: str, text: str, arguments: str) -> None:
    (found,) = instructions({"history": [entry(said)]})
    assert (found.text, found.arguments) == (text, arguments)


def test_layers_get_the_instructions_that_made_one() -> None:
    made = instructions(
        {
            "history": [
                entry("COPY a /a # buildkit"),
                entry("ENV A=b", empty_layer=True),
                entry("RUN /bin/sh -c x # buildkit"),
            ]
        }
    )
    assert [item.text for item in by_layer(made, 2) if item] == ["COPY a /a", "RUN x"]
    assert by_layer(made, 3) == (None, None, None)


@pytest.mark.parametrize("history", [None, 3, [1, "x", None], [{"created_by": 5}], {}])
def test_a_history_that_is_none(history: object) -> None:
    assert all(item.text.startswith("#") for item in instructions({"history": history}))
