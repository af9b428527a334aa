"""Fat against slim, exchange by exchange: is each answer the same, different, or missing?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from probes.model import Answer, CommandAnswer, Exchange, HttpAnswer, NoAnswer
from slimpy.model import Comparison, Sameness, display
from slimpy.verify.documents import ABSENT, NotJsonError, json_difference, parse
from slimpy.verify.texts import Words, difference, excerpt

STREAMS = frozenset({"text/event-stream", "multipart/x-mixed-replace"})
"""Media types without an end: only the head of the answer is compared."""

_TEXTUAL = re.compile(
    r"text/.*|.*[/+](?:json|xml|javascript|ecmascript|x-www-form-urlencoded|yaml)"
)
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
_CHARSET = re.compile(r"charset=\"?([\w.:-]{1,40})", re.IGNORECASE)
_METRICS = re.compile(r"version=0\.0\.4|openmetrics")
_VALUE = re.compile(r"^([^#\s{][^ {\n]*(?:\{.*\})?) .*$", re.MULTILINE)


def compare(fat: Sequence[Exchange], slim: Sequence[Exchange]) -> tuple[Comparison, ...]:
    """Pair two runs' exchanges by name, in the order of the original's.

    An exchange that only one of the two runs has is a difference too.
    """
    theirs = dict(_numbered(slim))
    words: list[tuple[Exchange, Exchange]] = []
    out = []
    for key, item in _numbered(fat):
        other = theirs.pop(key, None)
        if other is None:
            out.append(_unasked(item))
            continue
        words.append((item, other))
        out.append(_compared(item, other, _words(words)))
    return (*out, *map(_extra, theirs.values()))


def _numbered(exchanges: Iterable[Exchange]) -> Iterator[tuple[tuple[str, str, int], Exchange]]:
    """Each exchange with a key of its own, also where a name was given twice."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in exchanges:
        counts[item.kind, item.name] += 1
        yield (item.kind, item.name, counts[item.kind, item.name]), item


def _words(pairs: Sequence[tuple[Exchange, Exchange]]) -> Words:
    """The variables captured so far; one that only one run captured is not excused."""
    fat = dict(item for pair in pairs for item in pair[0].captured)
    slim = dict(item for pair in pairs for item in pair[1].captured)
    both = fat.keys() & slim.keys()
    return Words(
        {name: value for name, value in fat.items() if name in both},
        {name: value for name, value in slim.items() if name in both},
    )


def _unasked(item: Exchange) -> Comparison:
    reason = "the slim image was not asked"
    return Comparison(
        item.name, item.kind, Sameness.BROKEN, describe(item.answer), reason, (reason,)
    )


def _extra(item: Exchange) -> Comparison:
    reason = "only the slim image was asked"
    return Comparison(
        item.name, item.kind, Sameness.DIFFERENT, "not asked", describe(item.answer), (reason,)
    )


def _compared(fat: Exchange, slim: Exchange, words: Words) -> Comparison:
    notes: tuple[str, ...] = ()
    differences: list[str] = []
    match fat.answer, slim.answer:
        case NoAnswer() as ours, NoAnswer() as theirs:
            sameness, notes = _silent(ours, theirs)
        case _, NoAnswer() as theirs:
            sameness, notes = Sameness.BROKEN, (f"no answer: {_safe(theirs.reason)}",)
        case NoAnswer() as ours, _:
            sameness = Sameness.DIFFERENT
            notes = (f"the original gave no answer ({_safe(ours.reason)}), the slim image does",)
        case _:
            differences, notes = _answers(fat, slim, words)
            differences += _newly_unmet(fat, slim)
            sameness = Sameness.DIFFERENT if differences else Sameness.SAME
    return Comparison(
        name=fat.name,
        kind=fat.kind,
        sameness=sameness,
        fat=describe(fat.answer),
        slim=describe(slim.answer),
        differences=(*differences, *notes),
    )


def _silent(fat: NoAnswer, slim: NoAnswer) -> tuple[Sameness, tuple[str, ...]]:
    """Neither answers: the same, unless the slim image's app is gone and the original's was not."""
    if slim.kind == "ended" != fat.kind:
        return Sameness.BROKEN, (f"no answer: {_safe(slim.reason)}",)
    return Sameness.SAME, (f"neither gives an answer: {_safe(fat.reason)}",)


def _newly_unmet(fat: Exchange, slim: Exchange) -> list[str]:
    return [_safe(sentence) for sentence in slim.unmet if sentence not in fat.unmet]


def _answers(fat: Exchange, slim: Exchange, words: Words) -> tuple[list[str], tuple[str, ...]]:
    """What differs, and what is only worth a note."""
    full = fat.compare == "full"
    match fat.answer, slim.answer:
        case HttpAnswer() as ours, HttpAnswer() as theirs:
            again = fat.again if isinstance(fat.again, HttpAnswer) else None
            return _http(ours, again, theirs, words, full=full), ()
        case CommandAnswer() as ours, CommandAnswer() as theirs:
            before = fat.again if isinstance(fat.again, CommandAnswer) else None
            return _command(ours, before, theirs, words, full=full)
        case _:
            return ["the two answers are of different kinds"], ()


def _http(
    fat: HttpAnswer, again: HttpAnswer | None, slim: HttpAnswer, words: Words, *, full: bool
) -> list[str]:
    expected = {fat.status, again.status if again else fat.status}
    if slim.status not in expected:
        out = [f"status {slim.status} instead of {fat.status}"]
        return [*out, *_body(fat, again, slim, words)] if full else out
    if not full:
        return []
    if slim.status != fat.status and again is not None:
        fat, again = again, fat
    return [*_headers(fat, again, slim, words), *_body(fat, again, slim, words)]


def _headers(
    fat: HttpAnswer, again: HttpAnswer | None, slim: HttpAnswer, words: Words
) -> Iterator[str]:
    if _media_type(fat) != _media_type(slim):
        yield f"content type {_named(_media_type(slim))} instead of {_named(_media_type(fat))}"
    ours, theirs = _location(fat), _location(slim)
    found = difference(ours, _location(again) if again else None, theirs, words)
    if found:
        yield f"redirect: {found}"
    before, now = _cookies(fat), _cookies(slim)
    if before != now:
        yield f"sets {_listed(now)} instead of {_listed(before)}"


def _media_type(answer: HttpAnswer) -> str:
    charset = _CHARSET.search(_header(answer, "content-type"))
    return answer.content_type + (f"; charset={charset[1].lower()}" if charset else "")


def _named(text: str) -> str:
    return excerpt(text) if text else "none"


def _location(answer: HttpAnswer) -> str:
    """Where a redirect leads, without the app's own host and port."""
    location = _header(answer, "location")
    try:
        parts = urlsplit(location)
        local = parts.hostname in _LOCAL
    except ValueError:
        return location
    return parts._replace(scheme="", netloc="").geturl() if local else location


def _header(answer: HttpAnswer, name: str) -> str:
    return next((value for key, value in answer.headers if key == name), "")


def _cookies(answer: HttpAnswer) -> frozenset[str]:
    values = (value for key, value in answer.headers if key == "set-cookie")
    return frozenset(value.partition("=")[0].strip() for value in values)


def _listed(names: Iterable[str]) -> str:
    found = ", ".join(excerpt(name) for name in sorted(names)[:5])
    return f"the cookies {found}" if found else "no cookies"


def _body(
    fat: HttpAnswer, again: HttpAnswer | None, slim: HttpAnswer, words: Words
) -> Iterator[str]:
    if fat.sha256 == slim.sha256 or fat.content_type in STREAMS:
        return
    if not (_is_text(fat) and _is_text(slim)):
        yield from _binary(fat.body, again.body if again else None, slim.body, slim.size)
        return
    found = _text_body(fat, again, slim, words)
    if found:
        yield f"the body differs: {found}"
    elif _is_cut(fat) or _is_cut(slim):
        yield from _beyond(fat, again, slim)


def _text_body(fat: HttpAnswer, again: HttpAnswer | None, slim: HttpAnswer, words: Words) -> str:
    ours, theirs = _decoded(fat), _decoded(slim)
    before = _decoded(again) if again else None
    if _METRICS.search(_header(fat, "content-type")):
        ours, theirs = _VALUE.sub(r"\1", ours), _VALUE.sub(r"\1", theirs)
        before = None if before is None else _VALUE.sub(r"\1", before)
    return text_difference(ours, before, theirs, words)


def text_difference(fat: str, again: str | None, slim: str, words: Words) -> str:
    """As `difference`, but JSON documents are compared value by value."""
    try:
        if fat[:1] not in ("{", "["):
            return difference(fat, again, slim, words)
        ours, theirs = parse(fat), parse(slim)
        before = ABSENT if again is None else parse(again)
        return json_difference(ours, before, theirs, words)
    except (NotJsonError, RecursionError):
        return difference(fat, again, slim, words)


def _is_cut(answer: HttpAnswer) -> bool:
    return answer.size > len(answer.body)


def _beyond(fat: HttpAnswer, again: HttpAnswer | None, slim: HttpAnswer) -> Iterator[str]:
    """What lies behind the kept part must be equal, unless the app changes it by itself."""
    if again is None or again.sha256 == fat.sha256:
        yield f"the body differs after its first {len(fat.body):,} bytes"
    elif not 0.5 <= (slim.size + 1) / (fat.size + 1) <= 2:
        yield f"the body has {slim.size:,} bytes instead of {fat.size:,}"


def _is_text(answer: HttpAnswer) -> bool:
    if _TEXTUAL.fullmatch(answer.content_type):
        return True
    return not answer.content_type and b"\0" not in answer.body


def _decoded(answer: HttpAnswer) -> str:
    charset = _CHARSET.search(_header(answer, "content-type"))
    try:
        return answer.body.decode(charset[1] if charset else "utf-8", "replace")
    except (LookupError, UnicodeError):
        return answer.body.decode("utf-8", "replace")


def _binary(fat: bytes, again: bytes | None, slim: bytes, size: int) -> Iterator[str]:
    """Bytes must be equal, unless the app makes others each time: then they must begin alike."""
    if again is None or again == fat:
        yield f"the body differs: {size:,} bytes with other contents"
    elif fat[:4] == again[:4] != slim[:4] or not slim:
        yield "the body differs: it does not begin as the original's"


def _command(
    fat: CommandAnswer,
    again: CommandAnswer | None,
    slim: CommandAnswer,
    words: Words,
    *,
    full: bool,
) -> tuple[list[str], tuple[str, ...]]:
    out = []
    if fat.exit_code != slim.exit_code:
        out.append(f"exit code {slim.exit_code} instead of {fat.exit_code}")
    noise = _bytes_difference(fat.stderr, again.stderr if again else None, slim.stderr, words)
    notes = (f"note: stderr differs: {noise}",) if noise else ()
    if not full:
        return out, notes if out else ()
    found = _bytes_difference(fat.stdout, again.stdout if again else None, slim.stdout, words)
    if found:
        out.append(f"stdout differs: {found}")
    return [*out, *_files(fat, slim, words)], notes


def _files(fat: CommandAnswer, slim: CommandAnswer, words: Words) -> Iterator[str]:
    theirs = dict(slim.files)
    for path, content in fat.files:
        other = theirs.get(path)
        if content is None or other is None:
            if content is not other:
                yield f"the file {_safe(path)} is {'missing' if other is None else 'new'}"
            continue
        found = _bytes_difference(content, None, other, words)
        if found:
            yield f"the file {_safe(path)} differs: {found}"


def _bytes_difference(fat: bytes, again: bytes | None, slim: bytes, words: Words) -> str:
    if fat == slim:
        return ""
    if b"\0" in fat or b"\0" in slim:
        found = next(_binary(fat, again, slim, len(slim)), "")
        return found.removeprefix("the body differs: ")
    texts = (part.decode("utf-8", "backslashreplace") for part in (fat, again or b"", slim))
    ours, before, theirs = texts
    return text_difference(ours, None if again is None else before, theirs, words)


def describe(answer: Answer) -> str:
    """An answer in a few words."""
    match answer:
        case HttpAnswer():
            kind = f" {_safe(answer.content_type)}" if answer.content_type else ""
            return f"{answer.status}{kind}, {answer.size:,} bytes"
        case CommandAnswer():
            return f"exit code {answer.exit_code}, {len(answer.stdout):,} bytes of output"
        case NoAnswer():
            return f"no answer: {_safe(answer.reason)}"


def _safe(text: str) -> str:
    return display(text[:300])
