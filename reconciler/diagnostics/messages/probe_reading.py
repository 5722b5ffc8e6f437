"""Failures of a probe at an incoming server."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error
from reconciler.diagnostics.words import N_

READING = {
    "MBX800": error(
        N_("{host} refuses username or password of {username}"),
        N_("One of the two is wrong, or the server wants the username in another form."),
        N_(
            "Check first whether it wants the full address or the part before the @, then the "
            "stored password. It was tried once only, as each try counts towards a lock-out."
        ),
    ),
    "MBX801": error(
        N_("Google wants an app password for {username}"),
        N_("The account has 2-step verification, so its own password is not taken."),
        N_("Create an app password in the account and store it in place of the password."),
    ),
    "MBX802": error(
        N_("Google wants {username} to log in with a browser"),
        N_("It holds this login for suspicious, for instance because it comes from a new place."),
        N_(
            "Log in once with a browser and confirm. To be rid of it, use an app password or OAuth."
        ),
    ),
    "MBX803": error(
        N_("IMAP is switched off for {username}"),
        N_("The account exists, but the provider lets nobody read it over IMAP."),
        N_("Enable IMAP in the settings of the mailbox; at Zoho the administrator has to as well."),
    ),
    "MBX804": error(
        N_("{host} takes no password before encryption"),
        N_("The login would go over the network for everybody to read."),
        N_(
            'Write "security: tls" or "security: starttls". If the password has gone over the '
            "network already, change it."
        ),
    ),
    "MBX805": error(
        N_("{username} has too many sessions open"),
        N_("The server limits how many programs may read one mailbox at once."),
        N_("Nothing to correct. Close other programs, or test later."),
    ),
    "MBX806": error(
        N_("Microsoft 365 refuses the login of {username}"),
        N_("It takes no passwords for reading any more; or the token is of no use."),
        N_(
            'Write "auth: oauth2"; check the permission (IMAP.AccessAsApp or '
            "IMAP.AccessAsUser.All), the service principal and its rights on the mailbox."
        ),
    ),
    "MBX807": error(
        N_("{username} can log in, but not read"),
        N_("In Microsoft 365 IMAP is disabled for the mailbox, or the service is disturbed."),
        N_("Have an administrator enable IMAP for the mailbox; if it is enabled, test later."),
    ),
    "MBX808": error(
        N_("{username} has been read too much today"),
        N_("Gmail limits how much is downloaded a day, and then blocks the mailbox for a while."),
        N_("Wait up to 24 hours, and have programs fetch less."),
    ),
    "MBX809": error(
        N_('there is no folder "{folder}"'),
        N_("The login is right, but the mailbox {username} has no folder of this name."),
        N_("Create the folder, or correct its name; capitals count. INBOX is always there."),
    ),
    "MBX810": error(
        N_("{host} is busy"),
        N_("The server cannot serve anybody at the moment."),
        N_("Nothing to correct. Test later."),
    ),
    "MBX811": error(
        N_("{host} refuses username or password of {username}"),
        N_("One of the two is wrong, or the server wants the username in another form."),
        N_(
            "Check first whether it wants the full address or the part before the @, then the "
            "stored password. It was tried once only, as each try counts towards a lock-out."
        ),
    ),
    "MBX812": error(
        N_("{host} takes no password before encryption"),
        N_("The login would go over the network for everybody to read."),
        N_('Write "security: tls" with port 995, or "security: starttls" with port 110.'),
    ),
    "MBX813": error(
        N_("Gmail has blocked {username} for a while"),
        N_("It says [AUTH], but the password is not the reason: the mailbox was read too much."),
        N_("Log in once with a browser, wait some hours, and have programs fetch less."),
    ),
    "MBX814": error(
        N_("the mailbox {username} is in use"),
        N_("Another program reads it, the last login was too recent, or the server is disturbed."),
        N_("Nothing to correct. Test later; POP3 mailboxes serve one program at a time."),
    ),
    "MBX815": error(
        N_("Microsoft 365 refuses the login of {username}"),
        N_("It takes no passwords for reading any more; or the token is of no use."),
        N_(
            'Write "auth: oauth2"; check the permission (POP.AccessAsApp or '
            "POP.AccessAsUser.All), the service principal and its rights on the mailbox."
        ),
    ),
}
