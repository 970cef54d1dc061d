"""A MongoDB-like store in one SQLite file, for campaigns on one machine without a server."""

from fireworks_ext.embedded.activation import activate, open_launchpad
from fireworks_ext.embedded.client import EmbeddedClient
from fireworks_ext.embedded.errors import (
    StoreBusyError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
)

__all__ = [
    "EmbeddedClient",
    "StoreBusyError",
    "StoreCorruptError",
    "StoreError",
    "StoreFullError",
    "activate",
    "open_launchpad",
]
