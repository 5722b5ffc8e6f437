"""Modern logins: a token endpoint, its tokens, and mail servers that speak XOAUTH2."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from reconciler.diagnostics.messages.failures import Again
from reconciler.probes.protocols import oauth
from reconciler.probes.protocols.oauth import GOOGLE, MICROSOFT
from reconciler.probes.results import ProbeError, ProbeOutcome, ProbeResult
from tests.support.mailservers import SERVERS, Script, loopback, prober, secret, served, target

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
GOOGLE_USER = {
    "type": "authorized_user",
    "client_id": "c1",
    "client_secret": "s1",
    "refresh_token": "r1",
}
SERVICE = {
    "type": "service_account",
    "client_email": "robot@acme.iam",
    "private_key": PEM,
    "token_uri": "https://evil.test/token",
}
APPLICATION = {"type": "microsoft", "tenant": "acme.test", "client_id": "c2", "client_secret": "s2"}
PERSON = {"type": "microsoft", "tenant": "acme.test", "client_id": "c3", "refresh_token": "r3"}
DOCUMENTS = {"user": GOOGLE_USER, "service": SERVICE, "application": APPLICATION, "person": PERSON}
TOKEN = "ya29.a0ARrdaM_the-token"


class Endpoint:
    """A token endpoint that answers with `status` and `body`, and knows what it was asked."""

    def __init__(self, status: int = 200, body: Any = None, *, chunked: bool = False) -> None:
        self.status = status
        self.body = {"access_token": TOKEN, "expires_in": 3600} if body is None else body
        self.chunked = chunked
        self.forms: list[dict[str, str]] = []
        self.paths: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1])
            for line in head.splitlines()
            if line.lower().startswith("content-length")
        )
        self.paths.append(head.split()[1])
        self.forms.append(dict(parse_qsl((await reader.readexactly(length)).decode())))
        body = json.dumps(self.body).encode() if not isinstance(self.body, bytes) else self.body
        writer.write(f"HTTP/1.1 {self.status} Whatever\r\n".encode())
        if self.chunked:
            writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
            for part in (body[:7], body[7:]):
                writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            writer.write(b"0\r\n\r\n")
        else:
            writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()


class Xoauth2:
    """What a mail server says to XOAUTH2: nothing but the right token lets anybody in."""

    def __init__(self, name: str) -> None:
        self.script: Script = SERVERS[name]()
        self.name = name
        self.said: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self.script
        writer.write(script.greeting.encode() + b"\r\n")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            script.heard.append(line)
            word, tag = script._word(line), line.split(" ")[0]
            if word in ("AUTH", "AUTHENTICATE") and "XOAUTH2" in line:
                given = line.split("XOAUTH2")[1].strip()
                if not given:
                    writer.write(b"+ \r\n")
                    given = (await reader.readline()).decode().strip()
                await self._judge(b64decode(given).decode(), tag, reader, writer)
                continue
            answer = script.answers.get(word, script.answers["*"])
            writer.write(answer.replace("{tag}", tag).replace("\n", "\r\n").encode() + b"\r\n")
            if word == "DATA":
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 kept\r\n")

    async def _judge(
        self, said: str, tag: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.said.append(said)
        good = said == f"user=nfe@acme.test\1auth=Bearer {TOKEN}\1\1"
        if not good:
            why = b64encode(b'{"status":"400","schemes":"Bearer"}').decode()
            writer.write(f"{'334' if self.name == 'smtp' else '+'} {why}\r\n".encode())
            assert await reader.readline() == b"\r\n"
        yes = {"smtp": "235 2.7.0 in", "imap": f"{tag} OK in", "pop3": "+OK in"}
        no = {
            "smtp": "535 5.7.3 Authentication unsuccessful",
            "imap": f"{tag} NO AUTHENTICATE failed.",
            "pop3": "-ERR Authentication failure: unknown user name or bad password.",
        }
        writer.write(f"{(yes if good else no)[self.name]}\r\n".encode())


@asynccontextmanager
async def ready(endpoint: Endpoint, server: Xoauth2) -> AsyncIterator[tuple[Any, int]]:
    async with served(endpoint) as tokens, served(server) as port:
        url = f"http://127.0.0.1:{tokens}/token"
        yield prober(loopback(token_urls={"google": url, "microsoft": url})), port


def probed(
    endpoint: Endpoint, name: str = "smtp", document: Any = GOOGLE_USER, **changes: Any
) -> tuple[ProbeResult, Xoauth2]:
    server = Xoauth2(name)

    async def run() -> ProbeResult:
        async with ready(endpoint, server) as (found, port):
            given = secret(json.dumps(document))
            result = await found.probe(target(port, name, auth="oauth2", secret=given, **changes))
            assert isinstance(result, ProbeResult)
            return result

    return asyncio.run(run()), server


@pytest.mark.parametrize("name", ["smtp", "imap", "pop3"])
@pytest.mark.parametrize("grant", DOCUMENTS)
def test_a_token_logs_in(name: str, grant: str) -> None:
    endpoint = Endpoint()
    result, server = probed(endpoint, name, DOCUMENTS[grant])
    assert result.outcome is ProbeOutcome.PASSED
    assert ("mechanism", "XOAUTH2") in next(s.facts for s in result.steps if s.name == "login")
    assert len(endpoint.forms) == 1
    assert len(server.said) == 1


@pytest.mark.parametrize(
    ("document", "protocol", "url", "form"),
    [
        (
            GOOGLE_USER,
            "imap",
            GOOGLE,
            {
                "grant_type": "refresh_token",
                "client_id": "c1",
                "client_secret": "s1",
                "refresh_token": "r1",
            },
        ),
        (
            APPLICATION,
            "smtp",
            MICROSOFT.format(tenant="acme.test"),
            {
                "client_id": "c2",
                "client_secret": "s2",
                "grant_type": "client_credentials",
                "scope": "https://outlook.office365.com/.default",
            },
        ),
        *(
            (
                PERSON,
                protocol,
                MICROSOFT.format(tenant="acme.test"),
                {
                    "client_id": "c3",
                    "grant_type": "refresh_token",
                    "refresh_token": "r3",
                    "scope": f"https://outlook.office.com/{scope} offline_access",
                },
            )
            for protocol, scope in (
                ("smtp", "SMTP.Send"),
                ("imap", "IMAP.AccessAsUser.All"),
                ("pop3", "POP.AccessAsUser.All"),
            )
        ),
    ],
)
def test_what_is_asked_of_which_endpoint(
    document: Any, protocol: str, url: str, form: dict[str, str]
) -> None:
    request = oauth.request(json.dumps(document), "nfe@acme.test", protocol)
    assert request.url == url
    assert dict(request.complete()) == form


def test_a_service_account_signs_for_the_mailbox_and_its_own_url_is_not_used() -> None:
    request = oauth.request(json.dumps(SERVICE), "nfe@acme.test", "imap")
    assert request.url == GOOGLE
    form = dict(request.complete())
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    said, _, signature = form["assertion"].rpartition(".")
    KEY.public_key().verify(unpacked(signature), said.encode(), padding.PKCS1v15(), hashes.SHA256())
    claims = json.loads(unpacked(said.split(".")[1]))
    assert claims["sub"] == "nfe@acme.test"
    assert claims["iss"] == "robot@acme.iam"
    assert claims["aud"] == GOOGLE
    assert claims["scope"] == "https://mail.google.com/"
    assert 0 < claims["exp"] - claims["iat"] <= 3600


def unpacked(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize(
    "document",
    [
        "hunter2",
        "[]",
        "{}",
        "null",
        '{"type": "external_account"}',
        json.dumps(GOOGLE_USER | {"refresh_token": 5}),
        json.dumps({"type": "authorized_user"}),
        json.dumps(APPLICATION | {"tenant": "../../evil"}),
        json.dumps(APPLICATION | {"tenant": 7}),
        json.dumps(SERVICE | {"private_key": "no key"}),
        json.dumps(SERVICE | {"private_key": None}),
        "[" * 100_000,
    ],
)
def test_what_is_no_credential(document: str) -> None:
    with pytest.raises(ProbeError, match="MBX835"):
        oauth.request(document, "nfe@acme.test", "smtp").complete()


@pytest.mark.parametrize(
    ("status", "body", "expected", "again"),
    [
        (400, {"error": "invalid_grant", "error_description": "expired\nmore"}, "MBX830", Again.NO),
        (401, {"error": "invalid_client"}, "MBX831", Again.NO),
        (401, {"error": "unauthorized_client"}, "MBX832", Again.NO),
        (403, {"error": "access_denied"}, "MBX832", Again.NO),
        (400, {"error": "something_new"}, "MBX834", Again.NO),
        (400, {"error": {"code": 1}}, "MBX834", Again.NO),
        (200, {"access_token": "a\r\nb"}, "MBX834", Again.NO),
        (200, {"access_token": 5}, "MBX834", Again.NO),
        (503, {"error": "x"}, "MBX833", Again.SOON),
        (429, {}, "MBX833", Again.SOON),
        (200, b"<html>", "MBX833", Again.SOON),
        (200, b"[]", "MBX833", Again.SOON),
        (200, b"x" * 100_000, "MBX833", Again.SOON),
    ],
)
def test_a_token_that_is_not_given(status: int, body: Any, expected: str, again: Again) -> None:
    endpoint = Endpoint(status, body)
    result, server = probed(endpoint)
    assert result.diagnosis is not None
    assert (result.diagnosis.code, result.diagnosis.step) == (expected, "login")
    assert result.diagnosis.again is again
    assert len(endpoint.forms) == (3 if again is Again.SOON else 1)
    assert server.said == []


def test_an_endpoint_may_answer_in_chunks() -> None:
    result, _ = probed(Endpoint(chunked=True))
    assert result.outcome is ProbeOutcome.PASSED


@pytest.mark.parametrize(
    ("name", "expected"), [("smtp", "MBX780"), ("imap", "MBX806"), ("pop3", "MBX815")]
)
def test_a_refused_token_is_tried_once_and_hidden(name: str, expected: str) -> None:
    token = "another-token-that-is-refused"
    result, server = probed(Endpoint(body={"access_token": token}), name)
    assert result.diagnosis is not None
    assert result.diagnosis.code == expected
    assert "status=400" in result.diagnosis.line
    assert len(server.said) == 1
    assert token not in str(result)


def test_tokens_are_kept_in_memory() -> None:
    endpoint, server = Endpoint(), Xoauth2("imap")

    async def run() -> None:
        async with ready(endpoint, server) as (found, port):
            given = secret(json.dumps(APPLICATION))
            wanted = [
                target(port, "imap", auth="oauth2", secret=given, username="nfe@acme.test")
                for _ in range(5)
            ]
            await found.run(wanted, lambda _: None)

    asyncio.run(run())
    assert len(server.said) == 5
    assert len(endpoint.forms) == 1


def test_a_token_that_is_over_is_fetched_anew() -> None:
    endpoint, server = Endpoint(body={"access_token": TOKEN, "expires_in": 1}), Xoauth2("imap")

    async def run() -> None:
        async with ready(endpoint, server) as (found, port):
            given = secret(json.dumps(GOOGLE_USER))
            for _ in range(2):
                await found.probe(target(port, "imap", auth="oauth2", secret=given))

    asyncio.run(run())
    assert len(endpoint.forms) == 2


@pytest.mark.parametrize("url", ["http://mail.acme.test:1/token", "http://10.0.0.1/token"])
def test_credentials_go_to_https_only(url: str) -> None:
    async def far(_host: str) -> tuple[str, ...]:
        return ("10.0.0.1",)

    async def run() -> ProbeResult:
        from reconciler.probes.policy import Pace
        from reconciler.probes.schedule import Prober
        from tests.support.mailservers import Pauses

        bounds = loopback(token_urls={"google": url})
        found = Prober(bounds, Pace(), look_up=far, pause=Pauses())
        given = secret(json.dumps(GOOGLE_USER))
        return await found.probe(target(465, auth="oauth2", secret=given))

    result = asyncio.run(run())
    assert result.diagnosis is not None
    assert result.diagnosis.code == "MBX833"


def test_a_password_where_passwords_end_is_a_warning() -> None:
    from tests.support.mailservers import probed as plainly
    from tests.support.mailservers import smtp

    result = plainly(smtp(), host="smtp.office365.com")
    (warning,) = result.warnings
    assert (warning.code, dict(warning.values)["date"]) == ("MBX842", "2026-12-31")
    assert plainly(smtp(), host="smtp.office365.com", auth="none", secret=None).warnings == ()
