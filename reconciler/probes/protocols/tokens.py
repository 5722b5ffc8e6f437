"""Access tokens: fetched once for each credential, and kept in memory while they are valid."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from hashlib import sha256

from reconciler.probes.failure import ProbeError
from reconciler.probes.policy import Policy
from reconciler.probes.protocols import oauth
from reconciler.probes.protocols.addresses import Resolver
from reconciler.probes.protocols.form import SECONDS, Response, post
from reconciler.probes.protocols.oauth import TokenRequest
from reconciler.probes.protocols.tls import Contexts

_AT_ONCE = 10
_KEPT = 2_000
_MARGIN = 120.0
_REFUSALS = {
    "invalid_grant": "MBX830",
    "invalid_client": "MBX831",
    "unauthorized_client": "MBX832",
    "access_denied": "MBX832",
    "consent_required": "MBX832",
    "interaction_required": "MBX832",
}


class Tokens:
    """Trades credentials for access tokens; concurrent requests for the same one share it."""

    def __init__(self, policy: Policy, resolver: Resolver, contexts: Contexts) -> None:
        self._urls = policy.token_urls
        self._resolver = resolver
        self._contexts = contexts
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._kept: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._locks: dict[bytes, asyncio.Lock] = {}

    async def get(self, document: str, username: str, protocol: str) -> str:
        """The access token that the credential `document` gives for `username`.

        Raises:
            ProbeError: none was issued; its code tells why.
        """
        request = oauth.request(document, username, protocol)
        key = sha256(repr(request).encode()).digest()
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                kept = self._kept.get(key)
                if kept is None or kept[1] < time.monotonic():
                    kept = await self._fetch(request)
                    self._keep(key, kept)
                return kept[0]
        finally:
            if not lock.locked():
                self._locks.pop(key, None)

    def _keep(self, key: bytes, token: tuple[str, float]) -> None:
        self._kept[key] = token
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    async def _fetch(self, request: TokenRequest) -> tuple[str, float]:
        url = self._urls.get(request.provider, request.url)
        form = request.complete()
        try:
            async with self._at_once, asyncio.timeout(SECONDS):
                response = await post(url, form, self._resolver, self._contexts)
        except ProbeError:
            raise ProbeError("MBX833") from None
        except (OSError, ValueError, LookupError) as error:
            raise ProbeError("MBX833", str(error)[:200]) from None
        return _token(response)


def _token(response: Response) -> tuple[str, float]:
    token = response.body.get("access_token")
    if (
        response.status == 200
        and isinstance(token, str)
        and token.isascii()
        and token.isprintable()
    ):
        lifetime = response.body.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, int | float) else 300.0
        return token, time.monotonic() + seconds - _MARGIN
    error = str(response.body.get("error", ""))[:60]
    description = str(response.body.get("error_description", "")).splitlines()[:1]
    line = " ".join((str(response.status), error, *description))[:300]
    if response.status >= 500 or response.status == 429:
        raise ProbeError("MBX833", line)
    raise ProbeError(_REFUSALS.get(error, "MBX834"), line)
