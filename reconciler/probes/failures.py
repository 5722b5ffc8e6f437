"""What mail servers say and what it means: one row for each way in which they say it.

A row is told apart by step, then by enhanced code, then by text, then by basic code; never by the
basic code alone where something better fits, because 535 alone has seven different remedies. For
IMAP and POP3 the code in brackets is the enhanced one (`[AUTHENTICATIONFAILED]`), and `NO`, `BYE`
and `-ERR` are the basic ones. What this side notices by itself (a refused connection, a bad
certificate) has a `kind` instead. The words of every code are in `messages`.
"""

from __future__ import annotations

from typing import NamedTuple

from reconciler.probes.results import Again

NO, ONCE, SOON, WAIT, LATER = Again.NO, Again.ONCE, Again.SOON, Again.WAIT, Again.LATER

OPENING = "resolve connect tls greeting"
ENVELOPE = "sender recipient data"
ANY = f"{OPENING} login {ENVELOPE} folder"


class Sign(NamedTuple):
    """How a row is recognised: everything that is given must fit.

    `steps` and `protocols` are words; `text` is a regular expression, whose case does not matter,
    found anywhere in what was said; `provider` is the beginning of a name in the catalogue; `again`
    differs from that of the row where the same thing is passing in one form and lasting in another.
    """

    steps: str
    protocols: str = "smtp imap pop3"
    enhanced: str = ""
    text: str = ""
    basic: str = ""
    kind: str = ""
    provider: str = ""
    again: Again | None = None


class Row(NamedTuple):
    """A failure: its code, what people search for, whether a machine may try again, its signs."""

    code: str
    sample: str
    again: Again
    signs: tuple[Sign, ...] = ()


def smtp(steps: str, **given: str) -> Sign:
    return Sign(steps, "smtp", **given)  # type: ignore[arg-type]


def imap(steps: str, **given: str) -> Sign:
    return Sign(steps, "imap", **given)  # type: ignore[arg-type]


def pop3(steps: str, **given: str) -> Sign:
    return Sign(steps, "pop3", **given)  # type: ignore[arg-type]


CONNECTING = (
    Row("MBX751", "Name or service not known", NO, (Sign("resolve", kind="gaierror"),)),
    Row(
        "MBX752",
        "Temporary failure in name resolution",
        SOON,
        (Sign("resolve", kind="gaierror-temporary"),),
    ),
    Row("MBX753", "label empty or too long", NO, (Sign("resolve connect tls", kind="name"),)),
    Row("MBX754", "Connection refused", NO, (Sign("connect", kind="refused"),)),
    # The system itself has knocked again and again while the time ran out.
    Row("MBX755", "connection timed out", LATER, (Sign("connect", kind="timeout"),)),
    Row("MBX756", "Connection reset by peer", LATER, (Sign(ANY, kind="dropped"),)),
    Row(
        "MBX757",
        "timed out waiting for the greeting",
        NO,
        (Sign("greeting", kind="timeout-on-tls-port"),),
    ),
    Row(
        "MBX758",
        "[SSL: WRONG_VERSION_NUMBER]",
        NO,
        (Sign("tls", kind="ssl", text=r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST"),),
    ),
    Row(
        "MBX759",
        "CERTIFICATE_VERIFY_FAILED: Hostname mismatch",
        NO,
        (Sign("tls", kind="verify", text=r"hostname mismatch|IP address mismatch"),),
    ),
    Row(
        "MBX760",
        "CERTIFICATE_VERIFY_FAILED: self-signed certificate",
        NO,
        (Sign("tls", kind="verify", text=r"self.signed certificate(?! in)"),),
    ),
    Row(
        "MBX761",
        "CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate",
        NO,
        (
            Sign(
                "tls",
                kind="verify",
                text=r"unable to get (local )?issuer|unable to verify the first"
                r"|self.signed certificate in",
            ),
        ),
    ),
    Row(
        "MBX762",
        "CERTIFICATE_VERIFY_FAILED: certificate has expired",
        NO,
        (Sign("tls", kind="verify", text="has expired"),),
    ),
    Row(
        "MBX763",
        "CERTIFICATE_VERIFY_FAILED: certificate is not yet valid",
        NO,
        (Sign("tls", kind="verify", text="not yet valid"),),
    ),
    Row(
        "MBX764",
        "[SSL: TLSV1_ALERT_PROTOCOL_VERSION]",
        NO,
        (Sign("tls", kind="ssl", text="PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|WRONG_SSL_VERSION"),),
    ),
    Row(
        "MBX765",
        "CERTIFICATE_VERIFY_FAILED: Missing Authority Key Identifier",
        NO,
        (Sign("tls", kind="verify", text="Missing Authority Key Identifier"),),
    ),
    Row(
        "MBX766",
        "STARTTLS extension not supported by server",
        NO,
        tuple(Sign("tls", basic=basic) for basic in ("4", "5", "NO", "BAD", "-ERR")),
    ),
    Row(
        "MBX767",
        "* OK IMAP4rev1 ready",
        NO,
        (
            smtp("greeting", text=r"^(\* (OK|BYE|PREAUTH)|\+OK|-ERR)"),
            imap("greeting", text=r"^(\+OK|-ERR|[245]\d\d[ -])"),
            pop3("greeting", text=r"^(\* (OK|BYE|PREAUTH)|[245]\d\d[ -])"),
        ),
    ),
    Row(
        "MBX768",
        "421 4.7.0 Too many connections",
        SOON,
        (
            smtp("greeting", basic="421"),
            smtp(ANY, basic="421", text=r"too many|rate|connections|limit"),
        ),
    ),
    Row("MBX769", "554 5.7.1 Blocked", NO, (smtp("greeting", basic="5"),)),
)

LOGGING_IN = (
    Row(
        "MBX770",
        "530 5.7.0 Must issue a STARTTLS command first",
        NO,
        (
            smtp("login sender recipient", text="STARTTLS", basic="530"),
            smtp("login sender recipient", text="STARTTLS|encryption required", basic="538"),
        ),
    ),
    Row("MBX771", "SMTP AUTH extension not supported", NO, (smtp("login", basic="503"),)),
    Row(
        "MBX772",
        "534 5.7.9 Application-specific password required",
        NO,
        (
            smtp("login", enhanced="5.7.9", text="application-specific|InvalidSecondFactor"),
            smtp("login", text="application-specific password|InvalidSecondFactor"),
        ),
    ),
    Row(
        "MBX773",
        "534 5.7.14 Please log in via your web browser",
        LATER,
        (smtp("login", enhanced="5.7.14"), smtp("login", text="web browser")),
    ),
    Row(
        "MBX774",
        "535 5.7.8 Username and Password not accepted. BadCredentials",
        NO,
        (
            smtp("login", enhanced="5.7.8", text="BadCredentials|username and password not acc"),
            smtp("login", text="BadCredentials|username and password not accepted"),
        ),
    ),
    Row(
        "MBX775",
        "535 5.7.8 Error: authentication failed",
        NO,
        (
            smtp("login", enhanced="5.7.8"),
            smtp("login", text="incorrect authentication data"),
            smtp("login", basic="535"),
            smtp("login", basic="534"),
        ),
    ),
    Row(
        "MBX776",
        "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
        NO,
        (smtp("login", enhanced="5.7.139", text="basic authentication is disabled"),),
    ),
    Row(
        "MBX777",
        "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant",
        NO,
        (smtp("login", enhanced="5.7.139", text="SmtpClientAuthentication is disabled"),),
    ),
    Row(
        "MBX778",
        "535 5.7.139 user is locked by your organization's security defaults policy",
        NO,
        (smtp("login", enhanced="5.7.139", text="security defaults"),),
    ),
    Row(
        "MBX779",
        "535 5.7.139 the request did not meet the criteria to be authenticated successfully",
        NO,
        (smtp("login", enhanced="5.7.139"),),
    ),
    Row(
        "MBX780",
        "535 5.7.3 Authentication unsuccessful",
        NO,
        (smtp("login", enhanced="5.7.3"),),
    ),
    Row(
        "MBX781",
        "550 5.7.30 Basic authentication is not supported for Client Submission.",
        NO,
        (
            smtp(f"login {ENVELOPE}", enhanced="5.7.30"),
            smtp(f"login {ENVELOPE}", text="basic authentication is not supported"),
        ),
    ),
    Row(
        "MBX782",
        "535 5.7.0 (#AUTH005) Too many bad auth attempts.",
        NO,
        (
            smtp("login", enhanced="5.7.0", text="AUTH005|too many bad auth"),
            smtp("login", text="AUTH005"),
        ),
    ),
    Row(
        "MBX783",
        "535 Authentication Failed",
        NO,
        (smtp("login", text="authentication failed", basic="535", provider="Zoho"),),
    ),
    Row(
        "MBX784",
        "535 Authentication Credentials Invalid",
        NO,
        (
            smtp("login", text="authentication credentials invalid|not subscribed to SES"),
            smtp(
                f"login {ENVELOPE}",
                text="authentication required",
                basic="530",
                provider="Amazon SES",
            ),
        ),
    ),
    Row(
        "MBX785",
        "454 4.7.0 Too many login attempts",
        WAIT,
        (
            smtp("login", text="too many login attempts|temporary authentication failure"),
            smtp("login", basic="454"),
        ),
    ),
)

SENDING = (
    Row(
        "MBX786",
        "553 5.7.1 Sender address rejected: not owned by user",
        NO,
        (
            smtp(ENVELOPE, enhanced="5.7.1", text="not owned by|sender address rejected: not log"),
            smtp(ENVELOPE, text="sender address rejected: not (owned by|logged in)"),
        ),
    ),
    Row(
        "MBX787",
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        NO,
        (
            smtp(ENVELOPE, enhanced="5.7.60"),
            smtp(ENVELOPE, text="permissions? to send as this sender"),
        ),
    ),
    Row(
        "MBX788",
        "554 5.2.252 SendAsDenied; A not allowed to send as B",
        NO,
        (smtp(ENVELOPE, enhanced="5.2.252"), smtp(ENVELOPE, text="SendAsDenied")),
    ),
    Row(
        "MBX789",
        "553 Relaying disallowed as",
        NO,
        (smtp(ENVELOPE, text="relaying disallowed"),),
    ),
    Row(
        "MBX790",
        "550 The from address does not match a verified Sender Identity",
        NO,
        (smtp(ENVELOPE, text="verified sender identity"),),
    ),
    Row(
        "MBX791",
        "554 Message rejected: Email address is not verified.",
        NO,
        (smtp(ENVELOPE, text="email address is not verified|identities failed the check"),),
    ),
    Row(
        "MBX792",
        "454 4.7.1 Relay access denied",
        NO,
        (
            *(
                smtp(ENVELOPE, enhanced=code, text=r"relay(ing)? (access )?(denied|not permitted)")
                for code in ("5.7.1", "4.7.1")
            ),
            smtp(ENVELOPE, text=r"relay(ing)? (access )?(denied|not permitted)"),
            smtp(ENVELOPE, basic="530"),
        ),
    ),
    Row(
        "MBX793",
        "550 5.1.1 User unknown",
        NO,
        (
            smtp("recipient data", enhanced="5.1.1"),
            smtp("recipient", text=r"user unknown|no such user|unknown user|mailbox not found"),
        ),
    ),
    Row(
        "MBX794",
        "450 4.7.1 Greylisted",
        WAIT,
        (
            smtp(ENVELOPE, enhanced="4.7.1", text="gr[ea]y.?list"),
            smtp(ENVELOPE, text="gr[ea]y.?list", basic="4"),
        ),
    ),
    Row(
        "MBX795",
        "552 5.3.4 Message size exceeds fixed limit",
        NO,
        (
            smtp(ENVELOPE, enhanced="5.3.4"),
            smtp(ENVELOPE, text=r"message (size|too large|is too)|size exceeds", basic="552"),
        ),
    ),
    Row(
        "MBX796",
        "552 5.2.2 mailbox full",
        NO,
        (
            Sign(ENVELOPE, "smtp", enhanced="4.2.2", again=SOON),
            smtp(ENVELOPE, enhanced="5.2.2"),
            Sign(ENVELOPE, "smtp", text="mailbox (is )?full|over quota", basic="4", again=SOON),
            smtp(ENVELOPE, text="mailbox (is )?full|over quota", basic="5"),
        ),
    ),
    Row(
        "MBX797",
        "550 5.4.5 Daily user sending limit exceeded",
        LATER,
        (
            smtp(f"login {ENVELOPE}", enhanced="5.4.5"),
            smtp(
                f"login {ENVELOPE}",
                text="daily (user )?sending (limit|quota)|message quota exceeded"
                "|maximum sending rate",
            ),
        ),
    ),
    Row(
        "MBX798",
        "432 4.3.2 Concurrent connections limit exceeded",
        SOON,
        (
            smtp(ANY, enhanced="4.3.2", text="concurrent"),
            smtp(ANY, text="concurrent connections limit"),
            smtp(ANY, basic="432"),
        ),
    ),
    Row(
        "MBX799",
        "554 5.7.1 Message rejected due to policy",
        NO,
        (
            smtp(ENVELOPE, enhanced="5.7.1"),
            smtp(
                ENVELOPE, text=r"\bspam\b|policy|blocked|reputation|blacklist|blocklist", basic="5"
            ),
        ),
    ),
)

READING = (
    Row(
        "MBX800",
        "NO [AUTHENTICATIONFAILED] Authentication failed.",
        NO,
        (imap("login", enhanced="AUTHENTICATIONFAILED"), imap("login", basic="NO")),
    ),
    Row(
        "MBX801",
        "NO [ALERT] Application-specific password required",
        NO,
        (imap("login", text="application-specific password"),),
    ),
    Row(
        "MBX802",
        "NO [ALERT] Please log in via your web browser",
        LATER,
        (imap("login", enhanced="WEBALERT"), imap("login", text="web browser")),
    ),
    Row(
        "MBX803",
        "NO [ALERT] You are yet to enable IMAP for your account",
        NO,
        (imap("login folder", text="yet to enable IMAP|IMAP (access )?is (disabled|not enabled)"),),
    ),
    Row(
        "MBX804",
        "NO [PRIVACYREQUIRED] Plaintext authentication disallowed",
        NO,
        (imap("login", enhanced="PRIVACYREQUIRED"),),
    ),
    Row(
        "MBX805",
        "NO [LIMIT] Maximum number of connections from user+IP exceeded",
        SOON,
        (
            imap("greeting login folder", enhanced="LIMIT"),
            imap(
                "greeting login folder",
                enhanced="UNAVAILABLE",
                text="maximum number of connections",
            ),
            imap("greeting login folder", enhanced="ALERT", text="too many simultaneous"),
            imap("greeting login folder", text="too many simultaneous|maximum number of conn"),
        ),
    ),
    Row(
        "MBX806",
        "NO LOGIN failed.",
        NO,
        (imap("login", text=r"^(LOGIN|AUTHENTICATE) failed"),),
    ),
    Row(
        "MBX807",
        "NO User is authenticated but not connected",
        ONCE,
        (imap("login folder", text="authenticated but not connected"),),
    ),
    Row(
        "MBX808",
        "NO [OVERQUOTA] Account exceeded command or bandwidth limits",
        LATER,
        (
            imap("greeting login folder", enhanced="OVERQUOTA"),
            imap("login folder", text="exceeded command or bandwidth"),
        ),
    ),
    Row(
        "MBX809",
        "NO Mailbox doesn't exist: NFe",
        NO,
        (
            imap("folder", enhanced="NONEXISTENT"),
            imap("folder", enhanced="TRYCREATE"),
            imap("folder", basic="NO"),
        ),
    ),
    Row(
        "MBX810",
        "BYE [UNAVAILABLE] Server busy",
        SOON,
        (
            imap("greeting login folder", enhanced="UNAVAILABLE"),
            imap("greeting login folder", enhanced="INUSE"),
            imap("greeting login folder", basic="BYE"),
        ),
    ),
    Row(
        "MBX811",
        "-ERR [AUTH] Authentication failed.",
        NO,
        (pop3("login", enhanced="AUTH"), pop3("login", basic="-ERR")),
    ),
    Row(
        "MBX812",
        "-ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
        NO,
        (
            pop3("login", enhanced="AUTH", text="non-secure|plaintext auth"),
            pop3("login", text="non-secure|plaintext authentication disallowed"),
        ),
    ),
    Row(
        "MBX813",
        "-ERR [AUTH] Web login required",
        LATER,
        (
            pop3("login", enhanced="AUTH", text="web login|exceeded pop command|bandwidth"),
            pop3("login folder", text="web login required|exceeded pop command or bandwidth"),
        ),
    ),
    Row(
        "MBX814",
        "-ERR [IN-USE] Mailbox is locked by another session",
        SOON,
        tuple(
            pop3("greeting login folder", enhanced=code)
            for code in ("LOGIN-DELAY", "IN-USE", "SYS/TEMP")
        ),
    ),
    Row(
        "MBX815",
        "-ERR Authentication failure: unknown user name or bad password.",
        NO,
        (pop3("login", text="authentication failure: unknown user name or bad password"),),
    ),
)

OTHERS = (
    Row(
        "MBX816",
        "451 4.3.0 Temporary lookup failure",
        SOON,
        (smtp(ANY, basic="4"), imap(ANY, basic="BYE"), pop3("greeting", basic="-ERR")),
    ),
    Row(
        "MBX817",
        "550 Request refused",
        NO,
        (
            smtp(ANY, basic="5"),
            *(Sign(ANY, "imap pop3", basic=basic) for basic in ("NO", "BAD", "-ERR")),
        ),
    ),
    Row("MBX818", "no answer before the deadline", LATER, (Sign(ANY, kind="timeout"),)),
    Row("MBX826", "(something that is no answer)", NO, (Sign(ANY, basic="nonsense"),)),
    Row("MBX836", "CERTIFICATE_VERIFY_FAILED", NO, (Sign("tls", kind="verify"),)),
    Row("MBX837", "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE]", NO, (Sign("tls", kind="ssl"),)),
    Row("MBX849", "Network is unreachable", LATER, (Sign(ANY, kind="system"),)),
)

OWN = (
    # Found by this side, where their codes are named.
    Row("MBX819", "", NO),
    Row("MBX820", "", NO),
    Row("MBX821", "", NO),
    Row("MBX822", "", NO),
    Row("MBX823", "", NO),
    Row("MBX824", "", NO),
    Row("MBX825", "", NO),
    Row("MBX827", "", NO),
    Row("MBX828", "", NO),
    Row("MBX829", "", NO),
    Row("MBX830", "invalid_grant", NO),
    Row("MBX831", "invalid_client", NO),
    Row("MBX832", "unauthorized_client", NO),
    Row("MBX833", "", SOON),
    Row("MBX834", "", NO),
    Row("MBX835", "", NO),
    Row("MBX838", "", NO),
    Row("MBX839", "", LATER),
    Row("MBX840", "", NO),
    Row("MBX841", "", NO),
    Row("MBX844", "", NO),
    Row("MBX846", "", NO),
    Row("MBX847", "", NO),
    Row("MBX854", "", LATER),
)

ROWS: dict[str, Row] = {
    row.code: row for row in (*CONNECTING, *LOGGING_IN, *SENDING, *READING, *OTHERS, *OWN)
}
NO_VERDICT = frozenset(
    ("MBX794", "MBX821", "MBX822", "MBX823", "MBX824", "MBX828", "MBX829")
) | frozenset(("MBX835", "MBX838", "MBX840", "MBX841", "MBX846", "MBX847", "MBX854"))
"""What says nothing about the mailbox: it was not tried, or the server wants it to be later."""
