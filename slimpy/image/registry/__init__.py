"""Images in registries: read, written, listed; OCI distribution specification 1.1 and Docker's
Registry HTTP API V2.

`open_registry` gives an ImageSource, `push` takes one, `Access` says how registries are reached.
"""

from __future__ import annotations

from slimpy.image.registry.access import Access
from slimpy.image.registry.names import RepositoryName
from slimpy.image.registry.pull import RegistrySource, entries, open_registry, tags
from slimpy.image.registry.push import push, push_index

__all__ = [
    "Access",
    "RegistrySource",
    "RepositoryName",
    "entries",
    "open_registry",
    "push",
    "push_index",
    "tags",
]
