"""Access tokens: fetched once for each credential, and kept in memory while they are valid."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections import OrderedDict
from functools import partial
from hashlib import sha256
from ipaddress import ip_address
from ssl import SSLContext
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit

from reconciler.probes.policy import Policy
from reconciler.probes.protocols import oauth
from reconciler.probes.protocols.addresses import Resolver
from reconciler.probes.protocols.aside import aside
from reconciler.probes.protocols.oauth import TokenRequest
from reconciler.probes.protocols.tls import Contexts
from reconciler.probes.results import ProbeError

_AT_ONCE = 10
_KEPT = 2_000
_SECONDS = 20.0
_LARGEST = 64 * 1024
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
            async with self._at_once, asyncio.timeout(_SECONDS):
                response = await _post(url, form, self._resolver, self._contexts)
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


class Response(NamedTuple):
    status: int
    body: dict[str, Any]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        """A secret goes to the endpoint that was named, and nowhere else."""


async def _post(
    url: str, form: tuple[tuple[str, str], ...], resolver: Resolver, contexts: Contexts
) -> Response:
    """Post `form`; the deadline is the caller's. The endpoint is not checked against the networks
    that a probe may reach, as it comes from the program or its settings, never from a manifest.

    Raises:
        OSError, ValueError: there is no connection, or the answer is not a JSON object.
    """
    parts = urlsplit(url)
    if parts.scheme != "https":
        addresses = await resolver.addresses(parts.hostname or "")
        loopback = all(ip_address(address).is_loopback for address in addresses)
        if parts.scheme != "http" or not loopback:
            raise ValueError("a token endpoint is reached over https")
    context = contexts.get(verify=True, ca_file=None)
    return await aside(partial(_exchange, url, urlencode(form).encode(), context))


def _exchange(url: str, body: bytes, context: SSLContext) -> Response:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
    )
    request = urllib.request.Request(url, body, {"Accept": "application/json"})  # noqa: S310 - http or https
    try:
        answer = opener.open(request, timeout=_SECONDS)
    except HTTPError as error:
        answer = error
    with answer:
        text = answer.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise ValueError("the answer is too long")
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("the answer is not a JSON object")  # noqa: TRY004 - to the caller
        return Response(answer.status, document)
