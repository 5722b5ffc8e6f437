"""Failures of a probe before the login: host, connection, encryption, greeting."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error
from reconciler.diagnostics.words import N_

CONNECTING = {
    "MBX751": error(
        N_("the host {host} does not exist"),
        N_("The name service knows no address of it."),
        N_("Check the spelling of host; the provider's help page has the right name."),
    ),
    "MBX752": error(
        N_("the address of {host} could not be looked up"),
        N_("The name service of this network did not answer."),
        N_("Try again later. If it stays so, have the DNS of the machine that tests checked."),
    ),
    "MBX753": error(
        N_("{host} cannot be the name of a host"),
        N_("A part between its dots is empty or too long."),
        N_("Correct host."),
    ),
    "MBX754": error(
        N_("{host} refuses connections on port {port}"),
        N_("The host is there, but nothing listens on that port."),
        N_("Check port and protocol: 465 or 587 to send, 993 for IMAP, 995 for POP3."),
    ),
    "MBX755": error(
        N_("{host} did not answer on port {port}"),
        N_("A firewall swallows the connection, or the host is not the right one."),
        N_(
            "Use port 465 or 587 in place of 25, which many networks block; ask the network team "
            "whether {host} may be reached."
        ),
    ),
    "MBX756": error(
        N_("{host} broke off the connection"),
        N_("The server or a firewall hung up; it may have locked out the address of this network."),
        N_("Wait an hour and try again. If it stays so, ask the provider to unlock the address."),
    ),
    "MBX757": error(
        N_("{host} says nothing on port {port}"),
        N_('On this port it expects encryption from the start; with "{security}" both sides wait.'),
        N_('Write "security: tls".'),
    ),
    "MBX758": error(
        N_("{host} does not speak TLS on port {port}"),
        N_("On this port it begins unencrypted and changes to encryption later, if at all."),
        N_('Write "security: starttls", or use port 465 (SMTP), 993 (IMAP) or 995 (POP3).'),
    ),
    "MBX759": error(
        N_("the certificate of {host} is for another host"),
        N_("It names: {names}. This is usual where many customers share one server."),
        N_("Write one of the names in the certificate as host."),
    ),
    "MBX760": error(
        N_("{host} has signed its own certificate"),
        N_("No authority vouches for it, so anybody could pose as it."),
        N_(
            "Ask for a certificate of a known authority, or give this one as ca_file. Only as a "
            'last resort write "verify_certificate: false".'
        ),
    ),
    "MBX761": error(
        N_("nobody known has signed the certificate of {host}"),
        N_("Its authority is a private one, or the server leaves out a part of the chain."),
        N_("Give the authority's certificate as ca_file, or ask the provider for the full chain."),
    ),
    "MBX762": error(
        N_("the certificate of {host} has expired"),
        N_("The provider has not renewed it, or the clock of this machine is wrong."),
        N_("Ask the provider to renew it; check the clock."),
    ),
    "MBX763": error(
        N_("the certificate of {host} is not valid yet"),
        N_("The clock of this machine is wrong, or the certificate is brand new."),
        N_("Check the clock."),
    ),
    "MBX764": error(
        N_("the encryption of {host} is out of date"),
        N_("It offers only TLS 1.0 or 1.1; since RFC 8997 version 1.2 is the least."),
        N_("Ask the provider for TLS 1.2 or later, or for another host that has it."),
    ),
    "MBX765": error(
        N_("the certificate of {host} lacks a mark that is required"),
        N_("Its authority left out the Authority Key Identifier, which strict checks want."),
        N_("Have the private authority issue it again, with that extension."),
    ),
    "MBX766": error(
        N_("{host} does not offer STARTTLS on port {port}"),
        N_("The server cannot, or something on the way has taken the offer out."),
        N_('Use port 465 (993, 995) with "security: tls". The test never goes on unencrypted.'),
    ),
    "MBX767": error(
        N_("port {port} of {host} speaks another protocol"),
        N_("Its greeting is not that of the protocol declared."),
        N_("Correct port or protocol: SMTP has 465 and 587, IMAP 993 and 143, POP3 995 and 110."),
    ),
    "MBX768": error(
        N_("{host} has too many connections from here"),
        N_("The server limits how many connections, or how many in a minute, one address makes."),
        N_("Nothing to correct. Test fewer at once, or later."),
    ),
    "MBX769": error(
        N_("{host} turns this network away"),
        N_("The address that the test comes from is on a blocklist of the server."),
        N_("Use the port for customers (465 or 587); else ask the provider to unlock the address."),
    ),
}
