"""TLS of probes: shared contexts, and the contents of certificates."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from reconciler.probes.results import ProbeError


class Certificate(NamedTuple):
    """Whom a certificate names, and when it expires."""

    subject: str
    names: tuple[str, ...]
    expires: datetime


class Contexts:
    """One context for each way to verify, as making one costs as much as twenty conversations."""

    def __init__(self, ca_folder: Path | None) -> None:
        self._folder = ca_folder
        self._known: dict[tuple[bool, str | None], ssl.SSLContext] = {}

    def get(self, *, verify: bool, ca_file: str | None) -> ssl.SSLContext:
        """The context that trusts the system's authorities, or those of `ca_file` alone; raises
        `ProbeError` where that does not exist, or holds no certificate.
        """
        key = (verify, ca_file)
        if key in self._known:
            return self._known[key]
        try:
            context = ssl.create_default_context(cafile=self._path(ca_file))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ProbeError("MBX838", file=ca_file or "", reason=reason) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._known[key] = context
        return context

    def _path(self, name: str | None) -> str | None:
        """The path of a file in the folder: `name` may come from another program."""
        if not name:
            return None
        if self._folder is None or Path(name).name != name:
            raise FileNotFoundError(2, "No such file or directory", name)
        return str(self._folder / name)


def certificate(transport: asyncio.Transport) -> Certificate:
    """The certificate of the server, whether it was verified or not."""
    if verified := transport.get_extra_info("peercert"):
        return _verified(verified)
    connection: ssl.SSLObject = transport.get_extra_info("ssl_object")
    try:
        return _unverified(connection.getpeercert(binary_form=True) or b"")
    except ValueError:
        return Certificate("?", (), datetime.max.replace(tzinfo=UTC))


def _verified(fields: dict[str, Any]) -> Certificate:
    parts = [pair for name in fields.get("subject", ()) for pair in name]
    common = [value for key, value in parts if key == "commonName"]
    names = tuple(name for _, name in fields.get("subjectAltName", ()))
    return Certificate((*common, *names, "?")[0], names, _time(fields["notAfter"]))


@lru_cache(maxsize=1024)
def _time(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def _unverified(der: bytes) -> Certificate:
    """Python shows only a certificate that it has verified; this reads any other."""
    from cryptography import x509  # noqa: PLC0415 - few servers ask for it, and it is slow to import

    read = x509.load_der_x509_certificate(der)
    common = read.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    try:
        alternative = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(str(name.value) for name in alternative)
    except x509.ExtensionNotFound:
        names = ()
    subject = (*(str(name.value) for name in common), *names, "?")[0]
    return Certificate(subject, names, read.not_valid_after_utc)
