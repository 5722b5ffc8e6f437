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
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from weakref import WeakValueDictionary

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
        self._locks = WeakValueDictionary[bytes, asyncio.Lock]()

    async def get(self, document: str, username: str, protocol: str) -> str:
        """The access token that the credential `document` gives for `username`; raises
        `ProbeError` where none was issued.
        """
        request = oauth.request(document, username, protocol)
        key = sha256(repr(request).encode()).digest()
        async with self._locks.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept is None or kept[1] < time.monotonic():
                kept = self._kept[key] = await self._fetch(request)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            return kept[0]

    async def _fetch(self, request: TokenRequest) -> tuple[str, float]:
        """A token, and until when it holds. The endpoint is not checked against the networks that
        a probe may reach, as it comes from the program or its settings, never from a manifest.
        """
        url = self._urls.get(request.provider, request.url)
        form = urlencode(request.complete()).encode()
        try:
            async with self._at_once, asyncio.timeout(_SECONDS):
                await self._require_https(url)
                context = self._contexts.get(verify=True, ca_file=None)
                status, body = await aside(partial(_post, url, form, context))
        except ProbeError:
            raise ProbeError("MBX833") from None
        except (OSError, ValueError, LookupError) as error:
            raise ProbeError("MBX833", str(error)[:200]) from None
        return _token(status, body)

    async def _require_https(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme == "https":
            return
        addresses = await self._resolver.addresses(parts.hostname or "")
        is_here = all(ip_address(address).is_loopback for address in addresses)
        if parts.scheme != "http" or not is_here:
            raise ValueError("a token endpoint is reached over https")


def _token(status: int, body: dict[str, Any]) -> tuple[str, float]:
    token = body.get("access_token")
    if status == 200 and isinstance(token, str) and token.isascii() and token.isprintable():
        lifetime = body.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, int | float) else 300.0
        return token, time.monotonic() + seconds - _MARGIN
    error = str(body.get("error", ""))[:60]
    description = str(body.get("error_description", "")).splitlines()[:1]
    line = " ".join((str(status), error, *description))[:300]
    if status >= 500 or status == 429:
        raise ProbeError("MBX833", line)
    raise ProbeError(_REFUSALS.get(error, "MBX834"), line)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        """A secret goes to the endpoint that was named, and nowhere else."""


def _post(url: str, body: bytes, context: SSLContext) -> tuple[int, dict[str, Any]]:
    """Post a form; returns the status, and the JSON object of the answer."""
    https = urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), https, _NoRedirect())
    headers = {"Accept": "application/json"}
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - http or https
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
        return answer.status, document
