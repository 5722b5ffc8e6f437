"""The secrets of mail servers, fetched before their conversations begin.

Those of a batch are read together when the first of them is needed, each within its partner's
scope. If one cannot be had, that is a failure of its own (`MBX829`), and nobody logs in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

from reconciler.diagnostics.problem import Failure
from reconciler.model.state import MailServer
from reconciler.probes.protocols.aside import aside
from reconciler.probes.results import ProbeError
from reconciler.probes.target import SecretSource, Sensitive, Target, distinct
from reconciler.secrets.read import Resolved, Stores, resolve
from reconciler.secrets.references import BadReferenceError, Reference, from_text
from reconciler.secrets.scope import Scopes
from reconciler.secrets.secret import Secret
from reconciler.secrets.settings import SecretSettings, rules


class SecretRequest(NamedTuple):
    """A server that may need a secret, and its key in the batch.

    `sealed` is the password as its row keeps it; `key` is then the number of the row.
    """

    key: Hashable
    partner: str
    server: MailServer
    sealed: str | None = None


Opener = Callable[[int, str], Secret]
"""Opens what the row of that number keeps sealed; raises `Failure` where it cannot."""


@dataclass(frozen=True)
class Credentials:
    """Where secrets come from in a run, and who may use which; `partners` are all that exist."""

    settings: SecretSettings
    stores: Stores
    partners: Collection[str]
    opener: Opener | None = None

    @cached_property
    def scopes(self) -> Scopes:
        return Scopes(rules(self.settings), self.partners)

    def batch(self, requests: Iterable[SecretRequest]) -> Secrets:
        """What these servers log in with: what their rows keep sealed, as for the application; or
        what their references lead to, if nothing is sealed or there is no key to open it.
        """
        sources = {item.key: self._opened(item) or self._reference(item) for item in requests}
        return Secrets(self, {key: source for key, source in sources.items() if source is not None})

    def _opened(self, item: SecretRequest) -> Secret | Exception | None:
        """The password that the row keeps sealed, or why it cannot be opened."""
        if item.server.auth == "none" or item.sealed is None or self.opener is None:
            return None
        assert isinstance(item.key, int)
        try:
            return self.opener(item.key, item.sealed)
        except Failure as failure:
            is_foreign = failure.problems[0].code == "MBX692"
            return None if is_foreign and item.server.password_reference else failure

    def _reference(self, item: SecretRequest) -> Reference | Exception | None:
        """The reference of the server, or why it may not be read."""
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
    """The secrets of a batch, by the keys of its servers: known, to be read, or out of reach."""

    credentials: Credentials
    sources: Mapping[Hashable, Reference | Secret | Exception]
    _reading: asyncio.Task[Resolved] | None = field(default=None, init=False)

    def source(self, key: Hashable) -> SecretSource | None:
        """What fetches the secret of this server; None where it has none."""
        return partial(self._get, key) if key in self.sources else None

    def distinct(self, targets: Mapping[Hashable, Target]) -> tuple[Target, ...]:
        """Every mailbox once, of targets by the keys of their servers.

        A server that may not use a secret shares no result with those that may.
        """
        refused = [key for key in targets if isinstance(self.sources.get(key), Exception)]
        others = (target for key, target in targets.items() if key not in refused)
        return (*distinct(others), *(targets[key] for key in refused))

    def forget(self) -> None:
        """Let the redactor drop them, as their conversations are over."""
        redactor = self.credentials.stores.redactor
        for item in self.sources.values():
            if isinstance(item, Secret):
                redactor.forget(item)
        if self._reading and self._reading.done() and not self._reading.cancelled():
            for read in self._reading.result().read.values():
                redactor.forget(read.secret)

    async def _get(self, key: Hashable) -> Sensitive:
        source = self.sources[key]
        if isinstance(source, Exception):
            raise source
        if not isinstance(source, Reference):
            return source
        if self._reading is None:
            self._reading = asyncio.ensure_future(aside(self._read))
        # A conversation that is given up must not cancel the reading for the others.
        resolved = await asyncio.shield(self._reading)
        if source in resolved.failed:
            raise Failure(resolved.failed[source])
        return resolved.read[source].secret

    def _read(self) -> Resolved:
        references = {item for item in self.sources.values() if isinstance(item, Reference)}
        return resolve(references, self.credentials.stores, self.credentials.settings.deadline)
