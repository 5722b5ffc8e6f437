"""What `plan --check-secrets` and `apply` do about passwords, as the settings say."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from reconciler.cli import output, redacting
from reconciler.cli.inputs import Inputs
from reconciler.database import observe
from reconciler.diagnostics.problem import Failure, Place, Problem
from reconciler.model.state import MailServer
from reconciler.plan.plan import Password, Plan
from reconciler.secrets.scope import Scopes
from reconciler.secrets.settings import SecretSettings, rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.operations.passwords import Checked, Sealer
    from reconciler.probes.credentials import Opener
    from reconciler.secrets.keyring import Keyring
    from reconciler.secrets.secret import Secret
    from reconciler.secrets.stores.open import Stores

KEYS = "RECONCILER_KEYS"
NO_KEYS_HERE = ("MBX680", "MBX695")
"""The settings name a place without keys, or none."""


def are_sealed(settings: SecretSettings) -> bool:
    """Whether the database is to keep passwords, sealed; else it has references alone."""
    if settings.secret_mode:
        return settings.secret_mode == "encrypted"  # noqa: S105 - no password
    return settings.keys is not None or KEYS in os.environ


def scopes(
    partners: Iterable[str], connection: Connection | None, settings: SecretSettings
) -> Scopes:
    """Who may use which secrets; known are these partners, and those of settings and database."""
    known = set(partners)
    if connection:
        known.update(observe.partners(connection))
    return Scopes(rules(settings), known)


def opener(settings: SecretSettings, stores: Stores, database: str) -> Opener | None:
    """What opens the passwords of the database with this id; None where there are no keys here."""
    from reconciler.database.passwords import where  # noqa: PLC0415 - brings cryptography
    from reconciler.secrets import seal  # noqa: PLC0415

    ring = _ring(settings, stores) if are_sealed(settings) else None
    if ring is None:
        return None

    def opened(number: int, text: str) -> Secret:
        secret = seal.unseal(text, where(database, number), ring)
        stores.redactor.add(secret)
        return secret

    return opened


def _ring(settings: SecretSettings, stores: Stores) -> Keyring | None:
    """The key ring, if it is here; one that is damaged is an error."""
    from reconciler.secrets import keyring_source  # noqa: PLC0415

    try:
        return keyring_source.load(settings, os.environ, stores, float(settings.deadline))
    except Failure as failure:
        if failure.problems[0].code not in NO_KEYS_HERE:
            raise
    return None


def checked(
    plan: Plan,
    given: Inputs | None,
    connection: Connection | None,
    settings: SecretSettings,
    *,
    applying: bool,
) -> tuple[Checked, Sealer]:
    """Read and compare the passwords of a plan; what seals them comes with it.

    A plan can be made where there are no keys; an apply that is to seal needs them.

    Raises:
        Failure: a secret cannot be read, or may not be; or there are no keys, or damaged ones.
    """
    from reconciler.operations.passwords import Means, Sealer, check  # noqa: PLC0415 - brings cryptography
    from reconciler.secrets import keyring_source  # noqa: PLC0415
    from reconciler.secrets.stores.open import Stores  # noqa: PLC0415

    seconds = float(settings.deadline)
    with Stores(settings, os.environ, redacting.begin()) as stores:
        ring: Keyring | None = None
        if are_sealed(settings):
            ring = (
                keyring_source.load(settings, os.environ, stores, seconds)
                if applying
                else _ring(settings, stores)
            )
        means = Means(stores, scopes(_partners(plan, given), connection, settings), ring, seconds)
        found = check(plan, connection, means, partial(_place, given))
    if found.problems:
        raise Failure(found.problems, given.sources if given else None)
    return found, Sealer(ring, found.secrets)


def _partners(plan: Plan, given: Inputs | None) -> set[str]:
    """The partners that a plan is about, or that its manifests are of."""
    listed = {item.partner for item in plan.passwords}
    return listed | {*given.declared, *given.loaded.settled} if given else listed


def _place(given: Inputs | None, item: Password) -> Place | None:
    """Where the manifests have a password; those of who is settled are looked through for it."""
    if given is None:
        return None
    path = ("mail_servers", item.server)
    if declared := given.declared.get(item.partner):
        server = declared.servers.get(item.server)
        return Place(server.place.file, (*path, "password")) if server else None
    proof = given.loaded.settled.get(item.partner)
    for name, _digest in proof.files if proof else ():
        if path in given.sources.positions(name).keys:
            return Place(name, (*path, "password"))
    return None


def warn_of_references(plan: Plan, settings: SecretSettings) -> None:
    """Tell that of what was applied the database keeps references alone, where that surprises."""
    references = [
        change.after.password_reference
        for part in plan.applicable
        for change in part.changes
        if isinstance(change.after, MailServer) and change.after.password_reference
    ]
    variables = sum(reference.startswith("env:") for reference in references)
    if references and settings.secret_mode is None:
        output.show_problems([Problem("MBX696", None, {"variable": KEYS})], output.NO_SOURCES)
    elif variables:
        output.show_problems([Problem("MBX697", None, {"count": variables})], output.NO_SOURCES)
