"""What else ends a probe: replies in no table, bounds of this side, tokens, and warnings."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error, warning
from reconciler.diagnostics.words import N_

OTHERS = {
    "MBX816": error(
        N_("{host} refuses for the moment"),
        N_("It says so itself, for a reason that this program does not know."),
        N_("Read what the server says, and test later."),
    ),
    "MBX817": error(
        N_("{host} refuses"),
        N_("It says so itself, for a reason that this program does not know."),
        N_("Read what the server says; the provider's help page usually has it."),
    ),
    "MBX818": error(
        N_("{host} took more than {seconds} seconds"),
        N_("It answered too slowly, or not at all any more."),
        N_("Test later. If the server is known to be slow, write a longer timeout."),
    ),
    "MBX819": error(
        N_("{host} says more than any mail server should"),
        N_("The conversation was ended before it could fill the memory of this machine."),
        N_("Check host and port; this is not what a mail server does."),
    ),
    "MBX820": error(
        N_("somebody tampers with the connection to {host}"),
        N_("Text arrived between the answer to STARTTLS and the encryption: an injection."),
        N_('Use "security: tls". Tell whoever runs the network, and the provider.'),
    ),
    "MBX821": error(
        N_("port {port} may not be connected to"),
        N_("The settings do not list it among the ports of mail servers."),
        N_("Correct port, or have it added to ports under [probes] in the settings."),
    ),
    "MBX822": error(
        N_("{host} may not be connected to"),
        N_("Its address, {address}, is in no network that the settings allow."),
        N_("Correct host, or have its network added to networks under [probes] in the settings."),
    ),
    "MBX823": error(
        N_("no test message may go to {recipient}"),
        N_("Only the mailbox itself and the recipients in the settings may be written to."),
        N_("Have it added to recipients under [probes] in the settings."),
    ),
    "MBX824": error(
        N_("{key} holds a control character"),
        N_("With it, a server could be made to do something else."),
        N_("Write it without line ends, tabs and the like."),
    ),
    "MBX825": error(
        N_("{host} broke off at the end of the message"),
        N_("Nobody knows whether it took it: it may have been delivered. It is not sent again."),
        N_("Look into the mailbox {recipient}; test later."),
    ),
    "MBX826": error(
        N_("{host} gives an answer that makes no sense"),
        N_("It is not in the form of this protocol."),
        N_("Check host, port and protocol; something else may be listening there."),
    ),
    "MBX827": error(
        N_("{host} offers no login that fits"),
        N_("It offers: {offered}. Needed: {wanted}."),
        N_('Change auth ("password" or "oauth2"), or ask the provider how programs log in.'),
    ),
    "MBX828": error(
        N_("there is nothing to log in with"),
        N_("The mail server has no username, or no reference to a password."),
        N_("Add username and password to its manifest."),
    ),
    "MBX829": error(
        N_("the secret of {username} was not to be had"),
        N_("The login was not tried, because of {reason}."),
        N_("Give this run access to the secret, or correct the reference."),
    ),
    "MBX830": error(
        N_("the refresh token or delegation of {username} is no longer good"),
        N_(
            "It has expired, was revoked, or is for another user; a changed password does that too."
        ),
        N_("Give consent again and store the new refresh token; for a key, check the delegation."),
    ),
    "MBX831": error(
        N_("the provider does not know this client"),
        N_("client_id or client_secret is wrong, or the secret has expired."),
        N_("Create a new client secret and store it."),
    ),
    "MBX832": error(
        N_("the client may not act for {username}"),
        N_("An administrator has not granted the permission, or has withdrawn it."),
        N_("Have an administrator consent (Microsoft), or delegate the scope (Google)."),
    ),
    "MBX833": error(
        N_("the token endpoint gives no answer"),
        N_("It could not be reached, or is disturbed."),
        N_("Test later; check whether this network may reach it over HTTPS."),
    ),
    "MBX834": error(
        N_("no access token is given for {username}"),
        N_("The provider says so itself."),
        N_("Read what it says, and check the stored credentials."),
    ),
    "MBX835": error(
        N_("the secret of {username} is no credential for OAuth"),
        N_(
            "It is to be the JSON of a service account or an authorized user (Google), or one of "
            'type "microsoft" with tenant, client_id and client_secret or refresh_token.'
        ),
        N_('Store that JSON as the secret, or write "auth: password".'),
    ),
    "MBX836": error(
        N_("the certificate of {host} cannot be trusted"),
        N_("Its check failed; what the server sent says why."),
        N_("Ask the provider for a certificate in order."),
    ),
    "MBX837": error(
        N_("no encryption could be agreed on with {host}"),
        N_("The two sides have no method in common, or the server broke the handshake."),
        N_("Ask the provider for TLS 1.2 or later with current methods."),
    ),
    "MBX838": error(
        N_('the ca_file "{file}" cannot be used'),
        N_("The system says: {reason}."),
        N_("Put it into the folder that the settings name as ca_folder, as PEM; correct its name."),
    ),
    "MBX839": error(
        N_("the message has not arrived in {username}"),
        N_("It was sent, but within {seconds} seconds it was not in the folder {folder}."),
        N_("Look for it among unwanted mail and in filters; check that both are one mailbox."),
    ),
    "MBX840": error(
        N_("there is no mailbox to find the message in"),
        N_("The company of this outgoing server has no incoming one that is active."),
        N_("Link an incoming server to it, or test without the way back."),
    ),
    "MBX841": error(
        N_("there is no sender address"),
        N_("Without sender no message can be sent."),
        N_("Add sender with its email to the manifest."),
    ),
    "MBX842": warning(
        N_("passwords are taken by {host} until {date}"),
        N_("The provider ends logins with a password, or has ended them for new customers."),
        N_('Change to "auth: oauth2" before that day.'),
    ),
    "MBX843": warning(
        N_("the certificate of {host} expires on {date}"),
        N_("From that day on nobody can connect who checks it."),
        N_("Ask the provider whether it will be renewed in time."),
    ),
    "MBX844": error(
        N_("{host} takes plain addresses only"),
        N_("Sender or recipient has letters beyond ASCII, and the server has no SMTPUTF8."),
        N_("Use an address without them."),
    ),
    "MBX846": error(
        N_("the mail server cannot be tested as it is"),
        N_("Nobody can make use of: {value}."),
        N_("Correct its manifest; what another program wrote is corrected there."),
    ),
    "MBX847": error(
        N_("the password was not sent to {host} unencrypted"),
        N_('With "security: none" everybody on the way could read it.'),
        N_('Write "security: tls" or "security: starttls".'),
    ),
    "MBX849": error(
        N_("{host} cannot be reached from here"),
        N_("The system of this machine knows no way to it."),
        N_("Check the network of the machine that tests."),
    ),
    "MBX850": error(
        N_("{file} holds no results of tests"),
        N_("It is not what test --format json writes, or another version has written it."),
        N_("Give the files that the shards of one run have written."),
    ),
    "MBX851": error(
        N_("the results of some shards are missing"),
        N_("Of {count} shards these are not there, or were interrupted: {missing}."),
        N_("Give the files of all shards; one that did not finish has to run again."),
    ),
    "MBX852": error(
        N_("shard {number} is there twice"),
        N_("Both {file} and {other} have it."),
        N_("Give each shard once."),
    ),
    "MBX853": error(
        N_("the files are from different runs"),
        N_("Their runs were split differently: {counts} shards."),
        N_("Give the files of one run."),
    ),
    "MBX854": error(
        N_("there was no time left for {host}"),
        N_("The deadline of the run was over before this mailbox was tested."),
        N_("Give a longer --deadline, or split the run with --shard."),
    ),
    "MBX855": error(
        N_("the results cannot be written to {file}"),
        N_("The system says: {reason}."),
        N_("Check the folder that -o names, and its permissions."),
    ),
    "MBX856": error(
        N_("the results {file} cannot be read"),
        N_("The system says: {reason}."),
        N_("Give the files that the shards of one run have written."),
    ),
    "MBX857": error(
        N_("{partner} was left as it is, as tests of its mail servers failed"),
        N_("Failed before anything was written: {names}."),
        N_(
            "Do what the failures say, and apply again; with --on-failure deactivate all but these "
            "is applied."
        ),
    ),
    "MBX858": warning(
        N_("{name} becomes inactive, as its test failed"),
        N_("It is applied as it is declared, but switched off."),
        N_("Do what the failure says; the next apply activates it again."),
    ),
}
