"""What to do at a certain provider, in place of what a message says for all.

Keyed by code and by the name in the catalogue of providers; only where it differs from the rest.
"""

from __future__ import annotations

from reconciler.diagnostics.words import N_, Word

_GMAIL = N_(
    "Create an app password (it needs 2-step verification) and store it; the account's own "
    'password is never taken. Or write "auth: oauth2".'
)
_ICLOUD = N_(
    "Create an app-specific password and store it; to read, write only the part before the @ as "
    "username."
)
_LOCAL_PART = N_("Write only the part before the @ as username; then check the password.")
_TITAN = N_("Write the full address as username; with 2-step login create an app password.")
_APP = N_("Create an app-specific password in the account, and store it.")
_FULL = N_("Write the full address as username; then check the password in the provider's panel.")
_MICROSOFT = N_('Passwords are no longer taken here, not even app passwords: write "auth: oauth2".')
_IMAP_AT_UOL = N_(
    "Write only the part before the @ as username, and enable IMAP in the webmail; then check "
    "the password."
)
_ZOHO = N_(
    "Use the host of the region (imap.zoho.com, .eu, .in, .com.au, .jp); with 2-step login "
    "create an app password; then check the password."
)
_OUTSIDE = N_("From outside Brazil use smtpi.kinghost.net; else port 465 or 587 in place of 25.")
_LOGINS = ("MBX775", "MBX800", "MBX811")

REPAIRS: dict[tuple[str, str], Word] = {
    **{(code, "Gmail"): _GMAIL for code in _LOGINS},
    **{(code, "Google Workspace"): _GMAIL for code in _LOGINS},
    **{(code, "Yahoo"): _APP for code in _LOGINS},
    **{(code, "iCloud"): _ICLOUD for code in _LOGINS},
    **{(code, "BOL"): _LOCAL_PART for code in _LOGINS},
    **{(code, "Outlook.com"): _MICROSOFT for code in ("MBX776", "MBX779", *_LOGINS)},
    **{(code, "Microsoft 365"): _MICROSOFT for code in ("MBX800", "MBX811")},
    **{(code, "HostGator (Titan)"): _TITAN for code in _LOGINS},
    **{(code, "Locaweb"): _FULL for code in _LOGINS},
    **{(code, "KingHost"): _FULL for code in _LOGINS},
    **{(code, "Terra"): _FULL for code in _LOGINS},
    **{(code, "Hostinger"): _FULL for code in _LOGINS},
    **{(code, "Umbler"): _FULL for code in _LOGINS},
    ("MBX775", "UOL"): _LOCAL_PART,
    ("MBX800", "UOL"): _IMAP_AT_UOL,
    ("MBX811", "UOL"): _LOCAL_PART,
    ("MBX775", "Zoho"): _ZOHO,
    ("MBX800", "Zoho"): _ZOHO,
    ("MBX811", "Zoho"): _ZOHO,
    ("MBX775", "SendGrid"): N_(
        'Write the word "apikey" as username, and store the API key as the password.'
    ),
    ("MBX775", "Mailgun"): N_(
        "Store the SMTP password of the sending domain; the API key is none. Domains in Europe "
        "use smtp.eu.mailgun.org."
    ),
    ("MBX775", "Amazon SES"): N_(
        "Create SMTP credentials in the SES console, in the region of {host}; IAM keys are none."
    ),
    ("MBX755", "KingHost"): _OUTSIDE,
    ("MBX797", "Hostinger"): N_(
        "Nothing to correct here: the free tier sends 100 messages a day for each mailbox. Wait "
        "until tomorrow, or change the plan."
    ),
    ("MBX797", "Amazon SES"): N_(
        "Nothing to correct here. Ask for a higher sending quota in the SES console of the region."
    ),
    ("MBX799", "Locaweb"): N_(
        "SMTP Locaweb wants the sender's domain to be validated in its panel; do that first."
    ),
    ("MBX803", "UOL"): N_("Enable IMAP in the settings of the webmail."),
}
