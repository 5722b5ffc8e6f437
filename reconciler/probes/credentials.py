"""The secrets of mail servers, got before their conversations begin.

Those of a batch are read together when the first of them is needed, each within its partner's
scope. One that cannot be had is a failure of its own (`MBX829`), and no login.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from reconciler.diagnostics.problem import Failure
from reconciler.model.state import MailServer
from reconciler.probes.failure import ProbeError
from reconciler.probes.protocols.aside import aside
from reconciler.probes.target import SecretSource, Target, distinct
from reconciler.probes.target import Sensitive as Revealing
from reconciler.secrets import read as resolving
from reconciler.secrets.read import Resolved
from reconciler.secrets.references import BadReferenceError, Reference, from_text
from reconciler.secrets.scope import Scopes
from reconciler.secrets.secret import Secret
from reconciler.secrets.settings import SecretSettings, rules
from reconciler.secrets.stores.open import Stores


class Asking(NamedTuple):
    """A server that may need a secret, and what it is called in its batch.

    `sealed` is what its row keeps of the password, where `key` is the number of the row.
    """

    key: Hashable
    partner: str
    server: MailServer
    sealed: str | None = None


Opener = Callable[[int, str], Secret]
"""Opens what the row of that number keeps sealed; raises `Failure` where it cannot."""


@dataclass(frozen=True)
class Credentials:
    """Where secrets come from in a run, and who may use which."""

    settings: SecretSettings
    stores: Stores
    scopes: Scopes
    opener: Opener | None = None

    @classmethod
    def of(
        cls,
        settings: SecretSettings,
        stores: Stores,
        known: Collection[str],
        opener: Opener | None = None,
    ) -> Credentials:
        """Those of these settings; `known` are all partners that there are."""
        return cls(settings, stores, Scopes(rules(settings), known), opener)

    def batch(self, asking: Iterable[Asking]) -> Secrets:
        """What these servers log in with: what their rows keep sealed, as the application does;
        where there is none, or no key to open it, what their references lead to.
        """
        wanted = {item.key: self._opened(item) or self._wanted(item) for item in asking}
        return Secrets(self, {key: item for key, item in wanted.items() if item is not None})

    def _opened(self, item: Asking) -> Secret | Exception | None:
        """The password that the row keeps sealed, or why it cannot be opened."""
        if item.server.auth == "none" or item.sealed is None or self.opener is None:
            return None
        assert isinstance(item.key, int)
        try:
            return self.opener(item.key, item.sealed)
        except Failure as failure:
            is_foreign = failure.problems[0].code == "MBX692"
            return None if is_foreign and item.server.password_reference else failure

    def _wanted(self, item: Asking) -> Reference | Exception | None:
        """The reference of a server, or why it may not be read."""
        server = item.server
        if server.auth == "none" or not server.password_reference:
            return None
        try:
            reference = from_text(server.password_reference)
        except BadReferenceError:
            return ProbeError("MBX846", value="password_reference")
        problem = self.scopes.problem(item.partner, reference, None)
        return Failure([problem]) if problem else reference


@dataclass
class Secrets:
    """The secrets of a batch of servers, by what these are called in it."""

    of: Credentials
    wanted: Mapping[Hashable, Reference | Secret | Exception]
    _reading: asyncio.Task[Resolved] | None = field(default=None, init=False)

    def source(self, key: Hashable) -> SecretSource | None:
        """Where the secret of this server is got; None where it has none."""
        return partial(self._get, key) if key in self.wanted else None

    def distinct(self, targets: Mapping[Hashable, Target]) -> tuple[Target, ...]:
        """Every mailbox once, of targets by the keys of their servers.

        Who may not use a secret shares no verdict with those who may.
        """
        refused = [key for key in targets if isinstance(self.wanted.get(key), Exception)]
        others = (target for key, target in targets.items() if key not in refused)
        return (*distinct(others), *(targets[key] for key in refused))

    def forget(self) -> None:
        """Have nobody look out for them any more: their conversations are over."""
        for item in self.wanted.values():
            if isinstance(item, Secret):
                self.of.stores.redactor.forget(item)
        if self._reading and self._reading.done() and not self._reading.cancelled():
            for found in self._reading.result().found.values():
                self.of.stores.redactor.forget(found.secret)

    async def _get(self, key: Hashable) -> Revealing:
        wanted = self.wanted[key]
        if isinstance(wanted, Exception):
            raise wanted
        if not isinstance(wanted, Reference):
            return wanted
        if self._reading is None:
            self._reading = asyncio.ensure_future(aside(self._read))
        # One conversation that is given up must not take the answer from the others.
        resolved = await asyncio.shield(self._reading)
        if wanted in resolved.failed:
            raise Failure(resolved.failed[wanted])
        return resolved.found[wanted].secret

    def _read(self) -> Resolved:
        references = {item for item in self.wanted.values() if isinstance(item, Reference)}
        return resolving.resolve(references, self.of.stores, self.of.settings.deadline)
