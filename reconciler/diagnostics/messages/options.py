"""Problems of the advanced options."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error, warning
from reconciler.diagnostics.words import N_

OPTIONS = {
    "MBX401": error(
        N_("the connection to {host} would not be encrypted"),
        N_(
            'With "security: none" everybody on the way can read passwords and mails; it is for '
            "hosts on the same machine."
        ),
        N_('Write "security: tls" (port 465, 993, 995) or "security: starttls" (587, 143, 110).'),
    ),
    "MBX402": warning(
        N_("anybody can pose as {host}"),
        N_('With "verify_certificate: false" its certificate is not looked at.'),
        N_(
            'Write "verify_certificate: true"; for an authority of your own give its certificate '
            "as ca_file."
        ),
    ),
    "MBX403": warning(
        N_("port 25 of {host} is for other mail servers"),
        N_("Many networks block it, and few servers take logins on it."),
        N_("Use 465 with tls, or 587 with starttls."),
    ),
    "MBX404": warning(
        N_('port {port} does not go with "security: {security}"'),
        N_("On this port servers expect {right}; otherwise both sides wait until the timeout."),
        N_('Write "security: {right}", or change the port.'),
    ),
    "MBX405": warning(
        N_('"hosts:" says nothing about this host'),
        N_("It has options for one that is spelled almost the same."),
        N_("Correct the host, or leave it if it is another one."),
    ),
}
