"""Failures of a probe at the sender, the recipient or the message."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error
from reconciler.diagnostics.words import N_

SENDING = {
    "MBX786": error(
        N_("{username} may not send as {sender}"),
        N_("The login is right, but the sender address is not one of its own."),
        N_("Write the login's address as sender, or ask the provider for an alias."),
    ),
    "MBX787": error(
        N_("{username} may not send as {sender}"),
        N_("The login is right, but in Microsoft 365 it lacks the permission Send As."),
        N_("Have an administrator grant Send As, or write the login's address as sender."),
    ),
    "MBX788": error(
        N_("{username} may not send as {sender}"),
        N_("Microsoft 365 took login and message and refused the sender at the very end."),
        N_("Have an administrator grant Send As, or write the login's address as sender."),
    ),
    "MBX789": error(
        N_("Zoho does not know {sender} as an address of {username}"),
        N_("The sender's domain or alias is not verified in that account."),
        N_("Verify the domain or add the alias in Zoho, or write the login's address as sender."),
    ),
    "MBX790": error(
        N_("SendGrid does not know the sender {sender}"),
        N_("It is no verified Sender Identity of the account."),
        N_("Verify the address or its domain in SendGrid."),
    ),
    "MBX791": error(
        N_("Amazon SES has not verified {sender}"),
        N_(
            "The address is not verified in the region of {host}; or the account is still in the "
            "sandbox, where recipients have to be verified too."
        ),
        N_("Verify it in that region, or ask for production access."),
    ),
    "MBX792": error(
        N_("{host} does not relay for this login"),
        N_("Nobody has logged in, or it is not the server for this domain."),
        N_('Write "auth: password" with username and password; check host.'),
    ),
    "MBX793": error(
        N_("the recipient {recipient} does not exist"),
        N_("The server knows no such mailbox."),
        N_("Correct the recipient of the test, or the sender if it writes to itself."),
    ),
    "MBX794": error(
        N_("{host} asks to come back later"),
        N_("Greylisting: a sender that it does not know yet has to try again after minutes."),
        N_("Nothing to correct. Test again in ten minutes."),
    ),
    "MBX795": error(
        N_("the message is too large for {host}"),
        N_("The server's limit is below even a short test message."),
        N_("Ask the provider for the limit; real messages with attachments need far more."),
    ),
    "MBX796": error(
        N_("the mailbox {recipient} is full"),
        N_("Its quota is used up."),
        N_("Empty the mailbox, or have its quota raised."),
    ),
    "MBX797": error(
        N_("{username} has sent as much as it may"),
        N_("A limit per day or per second of the provider has been reached."),
        N_("Nothing to correct here. Wait until tomorrow, or have the limit raised."),
    ),
    "MBX798": error(
        N_("too many connections send as {username} at once"),
        N_("Microsoft 365 takes three at a time for each mailbox."),
        N_("Nothing to correct. Make sure that other programs do not send with it all the time."),
    ),
    "MBX799": error(
        N_("{host} holds the message for unwanted"),
        N_("A policy or a filter refused it: the content, or the reputation of domain or address."),
        N_("Check SPF, DKIM and DMARC of the sender's domain; ask the provider for the reason."),
    ),
}
