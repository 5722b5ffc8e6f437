"""Tests of mailboxes, besides their failures: warnings, files of results, the gate of `apply`."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error, warning
from reconciler.diagnostics.words import N_

TESTS = {
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
