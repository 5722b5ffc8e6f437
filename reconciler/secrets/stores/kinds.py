"""Every kind of store, by its name."""

from __future__ import annotations

from reconciler.secrets.stores.aws import AWS
from reconciler.secrets.stores.env import ENV
from reconciler.secrets.stores.file import FILE
from reconciler.secrets.stores.store import StoreKind
from reconciler.secrets.stores.vault import VAULT

KINDS: dict[str, StoreKind] = {kind.name: kind for kind in (ENV, FILE, VAULT, AWS)}
