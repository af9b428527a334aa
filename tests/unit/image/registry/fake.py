"""A registry in memory, whose answers a test may spoil one by one."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from slimpy.image.oci import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, Descriptor, Manifest
from slimpy.image.registry.access import Access
from slimpy.image.registry.credentials import Login
from slimpy.image.registry.retries import Retries

USER, PASSWORD = "ada", "countess"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class FakeTime:
    """A clock that only moves when somebody waits."""

    time: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


def access(clock: FakeTime | None = None, *, login: Login | None = None, **more: Any) -> Access:
    clock = clock or FakeTime()
    retries = Retries(now=clock.now, pause=clock.pause)
    return Access(retries=retries, login=lambda name: login, **more)


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Spoiler:
    """Answers in the place of the registry, so many times."""

    method: str
    pattern: re.Pattern[str]
    act: Callable[[Handler], object]
    times: int


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    registry: Fake

    def handle_any(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.content = b""
        seen = Seen(self.command, self.path, headers, b"")
        self.registry.seen.append(seen)
        for spoiler in self.registry.spoilers:
            fits = spoiler.method in (self.command, "*") and spoiler.pattern.search(self.path)
            if spoiler.times and fits:
                spoiler.times -= 1
                spoiler.act(self)
                return
        seen.body = self.read_body()
        self.registry.answer(self)

    do_GET = do_POST = do_PUT = do_HEAD = do_PATCH = handle_any  # noqa: N815

    def read_body(self, most: int | None = None) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        self.content = self.rfile.read(length if most is None else min(most, length))
        return self.content

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if status not in (204, 304):
            names.setdefault("Content-Length", str(len(body)))
        for name, value in names.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def drop(self) -> None:
        """End the connection without a word."""
        self.close_connection = True
        self.connection.close()

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that goes away is part of the tests


@dataclass
class Fake:
    """What it holds, how it wants to be asked, and what it was asked."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    auth: str = ""  # "", "basic", "bearer"
    realm: str = ""
    token: str = "t0ken"
    token_life: int | None = 300
    ranges: bool = True
    seen: list[Seen] = field(default_factory=list)
    spoilers: list[Spoiler] = field(default_factory=list)
    port: int = 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def on(
        self, method: str, pattern: str, act: Callable[[Handler], object], times: int = 1
    ) -> None:
        self.spoilers.append(Spoiler(method, re.compile(pattern), act, times))

    def asked(self, method: str, part: str = "") -> list[Seen]:
        return [one for one in self.seen if one.method == method and part in one.path]

    def add_image(self, *layers: bytes, ref: str = "1", **config: Any) -> Manifest:
        """An image of these layers; its manifest."""
        described = {"os": "linux", "architecture": "amd64"} | config
        described["rootfs"] = {"type": "layers", "diff_ids": [digest(item) for item in layers]}
        manifest = Manifest(
            self.add_blob(json.dumps(described).encode(), CONFIG_TYPE),
            tuple(self.add_blob(item, f"{LAYER_TYPE}+gzip") for item in layers),
        )
        self.add_manifest(manifest_json(manifest), MANIFEST_TYPE, ref)
        return manifest

    def add_blob(self, data: bytes, kind: str) -> Descriptor:
        self.blobs[digest(data)] = data
        return Descriptor(kind, digest(data), len(data))

    def add_manifest(self, data: bytes, kind: str, ref: str = "") -> Descriptor:
        for name in filter(None, (ref, digest(data))):
            self.manifests[name] = (kind, data)
        return Descriptor(kind, digest(data), len(data))

    def answer(self, handler: Handler) -> None:
        parts = urlsplit(handler.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/token":
            self._token(handler)
        elif not self._allowed(handler):
            headers = {"WWW-Authenticate": self._challenge()}
            body = b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}'
            handler.reply(401, body, **headers)
        elif found := re.search(r"/manifests/([^/]+)$", parts.path):
            self._manifest(handler, found[1])
        elif parts.path.endswith("/tags/list"):
            handler.reply(200, json.dumps({"name": "x", "tags": self.tags}).encode())
        elif "/blobs/uploads/" in parts.path:
            self._upload(handler, parts.path, query)
        elif found := re.search(r"/blobs/([^/]+)$", parts.path):
            self._blob(handler, found[1])
        else:
            handler.reply(404)

    def _challenge(self) -> str:
        if self.auth == "basic":
            return 'Basic realm="fake"'
        realm = self.realm or f"http://{self.host}/token"
        return f'Bearer realm="{realm}",service="fake",scope="repository:app:pull"'

    def _allowed(self, handler: Handler) -> bool:
        wanted = {"": None, "basic": BASIC, "bearer": f"Bearer {self.token}"}[self.auth]
        return wanted is None or handler.headers.get("Authorization") == wanted

    def _token(self, handler: Handler) -> None:
        form = parse_qs(handler.content.decode())
        by_identity = form.get("refresh_token") == ["1dentity"]
        if handler.headers.get("Authorization") != BASIC and not by_identity:
            handler.reply(401)
            return
        life = {} if self.token_life is None else {"expires_in": self.token_life}
        handler.reply(200, json.dumps({"token": self.token, **life}).encode())

    def _manifest(self, handler: Handler, ref: str) -> None:
        ref = ref.replace("%3A", ":")
        if handler.command == "PUT":
            kind = handler.headers["Content-Type"]
            self.add_manifest(handler.content, kind, ref)
            handler.reply(201, Docker_Content_Digest=digest(handler.content))
        elif ref not in self.manifests:
            handler.reply(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such"}]}')
        else:
            kind, data = self.manifests[ref]
            handler.reply(200, data, Content_Type=kind, Docker_Content_Digest=digest(data))

    def _blob(self, handler: Handler, name: str) -> None:
        data = self.blobs.get(name)
        if data is None:
            handler.reply(404)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if wanted is None or not self.ranges:
            handler.reply(200, data)
            return
        start = int(wanted[1])
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        handler.reply(206, data[start:], **headers)

    def _upload(self, handler: Handler, path: str, query: dict[str, str]) -> None:
        name = path.rpartition("/")[2]
        if handler.command == "POST":
            if query.get("mount") in self.blobs:
                handler.reply(201, Location="/v2/mounted")
                return
            name = f"u{len(self.uploads)}"
            self.uploads[name] = b""
            handler.reply(202, Location=f"{path}{name}?state=0")
            return
        if name not in self.uploads:
            handler.reply(404)
            return
        self.uploads[name] += handler.content
        size = len(self.uploads[name])
        if handler.command == "PUT":
            data = self.uploads.pop(name)
            good = digest(data) == query["digest"]
            if good:
                self.blobs[digest(data)] = data
            handler.reply(201 if good else 400, b"" if good else b'{"errors":[]}')
            return
        status = 202 if handler.command == "PATCH" else 204
        headers = {"Range": f"0-{max(size - 1, 0)}", "Location": f"{path}?state={size}"}
        handler.reply(status, **headers)


def manifest_json(manifest: Manifest, **more: Any) -> bytes:
    def entry(item: Descriptor) -> dict[str, Any]:
        return {"mediaType": item.media_type, "digest": item.digest, "size": item.size}

    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": entry(manifest.config),
        "layers": [entry(item) for item in manifest.layers],
    }
    return json.dumps(value | more).encode()
