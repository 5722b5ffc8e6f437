"""One request to a token endpoint: a form that is posted, and the JSON of its answer."""

from __future__ import annotations

import json
from functools import partial
from ipaddress import ip_address
from ssl import SSLContext
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
)

from reconciler.probes.protocols.addresses import Resolver
from reconciler.probes.protocols.aside import aside
from reconciler.probes.protocols.tls import Contexts

SECONDS = 20.0
_LARGEST = 64 * 1024


class Response(NamedTuple):
    status: int
    body: dict[str, Any]


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        """A secret goes to the endpoint that was named, and nowhere else."""


async def post(
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
    return await aside(partial(_post, url, urlencode(form).encode(), context))


def _post(url: str, body: bytes, context: SSLContext) -> Response:
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context), _NoRedirect())
    request = Request(url, body, {"Accept": "application/json"})  # noqa: S310 - http or https
    try:
        answer = opener.open(request, timeout=SECONDS)
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
