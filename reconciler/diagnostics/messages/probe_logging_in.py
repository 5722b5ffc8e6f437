"""Failures of a probe at the login of an outgoing server."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error
from reconciler.diagnostics.words import N_

_APP_PASSWORD = N_("Create an app password in the account and store it in place of the password.")
_OAUTH = N_('Write "auth: oauth2" and store credentials for it as the secret.')

LOGGING_IN = {
    "MBX770": error(
        N_("{host} takes no login before encryption"),
        N_("It wants STARTTLS first."),
        N_('Write "security: starttls".'),
    ),
    "MBX771": error(
        N_("{host} offers no login"),
        N_("Without encryption most servers hide it; on port 25 many have none."),
        N_('Write "security: starttls" with port 587, or "security: tls" with port 465.'),
    ),
    "MBX772": error(
        N_("Google wants an app password for {username}"),
        N_("The account has 2-step verification, so its own password is not taken."),
        _APP_PASSWORD,
    ),
    "MBX773": error(
        N_("Google wants {username} to log in with a browser"),
        N_("It holds this login for suspicious, for instance because it comes from a new place."),
        N_(
            "Log in once with a browser and confirm. To be rid of it, use an app password or OAuth."
        ),
    ),
    "MBX774": error(
        N_("Gmail does not take the password of {username}"),
        N_("It is the account's own password, or an app password that was revoked."),
        N_("Create a new app password (it needs 2-step verification) and store it."),
    ),
    "MBX775": error(
        N_("{host} refuses username or password of {username}"),
        N_("One of the two is wrong, or the server wants the username in another form."),
        N_(
            "Check first whether it wants the full address or the part before the @, then the "
            "stored password. It was tried once only, as each try counts towards a lock-out."
        ),
    ),
    "MBX776": error(
        N_("Microsoft no longer takes passwords for {username}"),
        N_("Basic authentication is switched off; app passwords are of no use either."),
        N_(
            'Write "auth: oauth2" and store credentials for it, or have an administrator enable '
            "authenticated SMTP for the mailbox while that is still possible."
        ),
    ),
    "MBX777": error(
        N_("sending over SMTP is switched off for {username}"),
        N_("Microsoft 365 has authenticated SMTP disabled, for all or for this mailbox."),
        N_(
            "An administrator runs: Set-CASMailbox -Identity {username} "
            "-SmtpClientAuthenticationDisabled $false"
        ),
    ),
    "MBX778": error(
        N_("the security defaults of the organization lock {username} out"),
        N_("Microsoft Entra's security defaults forbid logins with a password only."),
        N_('Write "auth: oauth2", or have an administrator make an exception.'),
    ),
    "MBX779": error(
        N_("the organization does not allow this login of {username}"),
        N_("A policy of Microsoft Entra (Conditional Access) has not been met."),
        N_("Ask the administrator which policy it is; the sign-in log of Entra names it."),
    ),
    "MBX780": error(
        N_("Microsoft 365 refuses the login of {username}"),
        N_("The password is wrong; or the token lacks permission or is for another mailbox."),
        N_(
            "With OAuth, check the permission (SMTP.SendAsApp or SMTP.Send), the service "
            "principal in Exchange and its rights on the mailbox; else check the password."
        ),
    ),
    "MBX781": error(
        N_("Microsoft 365 has ended logins with a password"),
        N_("Basic authentication is no longer there for sending."),
        _OAUTH,
    ),
    "MBX782": error(
        N_("Yahoo does not take the password of {username}"),
        N_("It wants an app password, and says so even at the first try."),
        _APP_PASSWORD,
    ),
    "MBX783": error(
        N_("Zoho refuses the login of {username}"),
        N_("The host is of another data centre, the account has 2-step login, or it is wrong."),
        N_(
            "Use the host of the region (smtp.zoho.com, .eu, .in, .com.au, .jp); with 2-step "
            "login create an app password; then check the password."
        ),
    ),
    "MBX784": error(
        N_("Amazon SES refuses the login"),
        N_("An IAM access key is no SMTP credential, and each region has its own."),
        N_("Create SMTP credentials in the SES console, in the region of {host}, and store them."),
    ),
    "MBX785": error(
        N_("{host} wants a pause before the next login of {username}"),
        N_("There were too many logins, or the server cannot check them at the moment."),
        N_("Nothing to correct. Wait some minutes; look for other programs with an old password."),
    ),
}
