"""OAuth 2.0: the credentials in a secret, which is a small JSON document → a token request.

What Google hands out is used as it is: the key file of a service account, or the file of an
authorized user. For Microsoft it is `{"type": "microsoft", "tenant", "client_id"}` with a
`client_secret` (the program's own permission), a `refresh_token` (a person's), or both.
"""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.probes.results import ProbeError

GOOGLE = "https://oauth2.googleapis.com/token"
MICROSOFT = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
_GOOGLE_SCOPE = "https://mail.google.com/"
_APPLICATION_SCOPE = "https://outlook.office365.com/.default"
_USER_SCOPES = {
    "smtp": "https://outlook.office.com/SMTP.Send",
    "imap": "https://outlook.office.com/IMAP.AccessAsUser.All",
    "pop3": "https://outlook.office.com/POP.AccessAsUser.All",
}
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,99}")

FormFields = tuple[tuple[str, str], ...]


class Assertion(NamedTuple):
    """What a service account signs with its own key, as a JSON Web Token."""

    issuer: str
    subject: str
    private_key: str

    def signed(self) -> str:
        """The signed token, valid for an hour; raises `ProbeError` where this is no RSA key."""
        # Imported here because no other credential needs it, and it is slow.
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

        try:
            key = serialization.load_pem_private_key(self.private_key.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ProbeError("MBX835") from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ProbeError("MBX835")
        now = int(time.time())
        head = {"alg": "RS256", "typ": "JWT"}
        body = {
            "iss": self.issuer,
            "sub": self.subject,
            "scope": _GOOGLE_SCOPE,
            "aud": GOOGLE,
            "iat": now,
            "exp": now + 3600,
        }
        unsigned = ".".join(_packed(json.dumps(part).encode()) for part in (head, body))
        signature = key.sign(unsigned.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{unsigned}.{_packed(signature)}"


class TokenRequest(NamedTuple):
    """A form for the token endpoint of a provider. Equal requests can share a token."""

    provider: str
    url: str
    form: FormFields
    assertion: Assertion | None = None

    def complete(self) -> FormFields:
        """The form with its signature, which differs each time; raises as `signed` does."""
        if self.assertion is None:
            return self.form
        return (*self.form, ("assertion", self.assertion.signed()))


def request(document: str, username: str, protocol: str) -> TokenRequest:
    """The request that a credential document leads to; raises `ProbeError` where the document is
    of no known kind, or incomplete.
    """
    try:
        data = json.loads(document)
        match data["type"]:
            case "service_account":
                return _service_account(data, username)
            case "authorized_user":
                names = ("client_id", "client_secret", "refresh_token")
                form = {"grant_type": "refresh_token", **{name: data[name] for name in names}}
                return _request("google", GOOGLE, form)
            case "microsoft":
                return _microsoft(data, protocol)
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise ProbeError("MBX835")


def _service_account(data: Mapping[str, Any], username: str) -> TokenRequest:
    """The account acts for `username`, by delegation over the domain."""
    assertion = Assertion(data["client_email"], username, data["private_key"])
    if not all(isinstance(value, str) for value in assertion):
        raise TypeError
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}
    return _request("google", GOOGLE, form)._replace(assertion=assertion)


def _microsoft(data: Mapping[str, Any], protocol: str) -> TokenRequest:
    if not _TENANT.fullmatch(data["tenant"]):
        raise ValueError
    form = {"client_id": data["client_id"]}
    if "client_secret" in data or "refresh_token" not in data:
        form["client_secret"] = data["client_secret"]
    if "refresh_token" in data:
        form |= {"grant_type": "refresh_token", "refresh_token": data["refresh_token"]}
        form["scope"] = f"{_USER_SCOPES[protocol]} offline_access"
    else:
        form |= {"grant_type": "client_credentials", "scope": _APPLICATION_SCOPE}
    return _request("microsoft", MICROSOFT.format(tenant=data["tenant"]), form)


def _request(provider: str, url: str, form: Mapping[str, Any]) -> TokenRequest:
    if not all(isinstance(value, str) and value for value in form.values()):
        raise TypeError
    return TokenRequest(provider, url, tuple(form.items()))


def _packed(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
