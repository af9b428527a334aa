"""One repository of a registry: its documents, blobs and tags."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote

from slimpy.errors import ImageNotFoundError, SourceError
from slimpy.image.manifests import digest_of, document, is_digest
from slimpy.image.oci import DOCUMENT_LIMIT, Descriptor
from slimpy.image.registry import answers
from slimpy.image.registry.access import Access
from slimpy.image.registry.documents import ACCEPTED, Document, recognised
from slimpy.image.registry.downloads import Download
from slimpy.image.registry.names import RepositoryName
from slimpy.image.registry.origins import joined
from slimpy.image.registry.transport import Call, Transport
from slimpy.image.verified import verified
from slimpy.model import display

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_NEXT = re.compile(r'<([^<>]{1,4096})>\s*;[^<]*\brel="?next"?')
_PAGE = 1000
_MOST_PAGES = 1000
_MOST_TAGS = 1_000_000


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as one user sees it; ``push`` asks the realm for the right to write, too."""

    name: RepositoryName
    transport: Transport
    push: bool = False
    others: tuple[str, ...] = ()  # repositories of the registry from which blobs may be mounted

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the realm of the registry has to allow."""
        own = f"repository:{self.name.path}:{'pull,push' if self.push else 'pull'}"
        return (own, *(f"repository:{path}:pull" for path in self.others))

    def url(self, rest: str) -> str:
        """The path of something in it."""
        return f"/v2/{self.name.path}/{rest}"

    def document(self, reference: str) -> Document:
        """A manifest or an index, its digest checked.

        Args:
            reference: a tag or a digest.

        Raises:
            ImageNotFoundError: the registry has no such thing.
            RegistryDeniedError: it wants a login, or another one.
            SourceError: it cannot be fetched, or is not what it should be.
        """
        what = f"The manifest of {self._named(reference)}"
        url = self.url(f"manifests/{quote(reference, safe=':')}")
        call = Call("GET", url, what, self.scopes, headers={"Accept": ACCEPTED})
        response, content = self.transport.text(call, DOCUMENT_LIMIT)
        found = digest_of(content)
        told = response.headers.get("Docker-Content-Digest", "").strip()
        wanted = reference if is_digest(reference) else told
        if is_digest(wanted) and found != wanted:
            message = f"{what} is damaged: its digest is {found}, not {wanted}."
            raise SourceError(message, hint="Something between here and the registry changes it.")
        return recognised(content, response.headers.get("Content-Type", ""), what)

    def entry(self, entry: Descriptor) -> Document:
        """The document that an entry of an index stands for, as large as that says.

        Raises:
            SourceError: see `document`.
        """
        found = self.document(entry.digest)
        if len(found.content) != entry.size or found.media_type != (
            entry.media_type or found.media_type
        ):
            message = f"{self._named(entry.digest)} is not what its index says."
            raise SourceError(message)
        return found

    @contextlib.contextmanager
    def open(self, blob: Descriptor) -> Iterator[BinaryIO]:
        """See ImageSource.open; a broken transfer goes on where it broke."""
        if not is_digest(blob.digest):
            message = f"The digest {display(blob.digest[:100])!r} is not sha256."
            raise SourceError(message)
        download = Download(self.transport, self.url(f"blobs/{blob.digest}"), self.scopes, blob)
        try:
            yield verified(download, blob, self.name.repository)
        finally:
            download.close()

    def has(self, blob: Descriptor) -> bool:
        """Whether a blob is there already.

        Raises:
            SourceError: the registry does not say.
        """
        what = f"The blob {blob.digest}"
        call = Call("HEAD", self.url(f"blobs/{blob.digest}"), what, self.scopes)
        try:
            length = answers.content_length(self.transport.status(call))
        except ImageNotFoundError:
            return False
        return length in (None, blob.size)

    def tags(self) -> tuple[str, ...]:
        """All tags, in the registry's order, each once.

        Raises:
            SourceError: there is no such repository, or the list makes no sense.
        """
        what = f"The list of tags of {self.name.repository}"
        url = joined(f"{self.transport.origin}/", self.url(f"tags/list?n={_PAGE}"))
        found: dict[str, None] = {}
        asked: set[str] = set()
        for _ in range(_MOST_PAGES):
            call = Call("GET", url, what, self.scopes, headers={"Accept": "application/json"})
            response, content = self.transport.text(call, DOCUMENT_LIMIT)
            tags = document(content, what).get("tags") or []
            if not isinstance(tags, list) or len(found) > _MOST_TAGS:
                break
            found |= dict.fromkeys(
                tag for tag in tags if isinstance(tag, str) and _TAG.fullmatch(tag)
            )
            following = _NEXT.search(response.headers.get("Link", "")[:8192])
            if following is None:
                return tuple(found)
            asked.add(url)
            url = joined(url, following[1])
            if url in asked:
                break
        message = f"{what} makes no sense or has no end."
        raise SourceError(message)

    def _named(self, reference: str) -> str:
        mark = "@" if ":" in reference else ":"
        return f"{self.name.repository}{mark}{reference}"


@contextlib.contextmanager
def connect(
    name: RepositoryName | str, *, access: Access, push: bool = False, others: tuple[str, ...] = ()
) -> Iterator[Repository]:
    """A repository, with its connections for as long as the block lasts.

    Args:
        push: whether something is going to be written.
        others: paths of further repositories of the registry, from which blobs may be taken.

    Raises:
        UsageError: it is no name of a repository.
        SourceError: the saved logins cannot be read.
    """
    parsed = RepositoryName.parse(name) if isinstance(name, str) else name
    transport = Transport.to(parsed, access)
    try:
        yield Repository(parsed, transport, push, others)
    finally:
        transport.close()
