"""What a run reads secrets with: stores, scopes and the key ring, as its settings say."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from reconciler.database import observe
from reconciler.database.passwords import where
from reconciler.diagnostics.problem import Failure, Place, Problem
from reconciler.model.state import MailServer
from reconciler.operations.context import Context
from reconciler.operations.inputs import Inputs
from reconciler.plan.plan import Password, Plan
from reconciler.secrets.read import Stores
from reconciler.secrets.scope import Scopes
from reconciler.secrets.settings import KEYS, SecretSettings, rules

if TYPE_CHECKING:
    from reconciler.operations.passwords import Checked
    from reconciler.probes.credentials import Opener
    from reconciler.secrets.keyring import Keyring
    from reconciler.secrets.secret import Secret


def are_sealed(context: Context) -> bool:
    """Whether the database keeps passwords, sealed; else it has only references."""
    settings = context.settings.secrets
    if settings.secret_mode:
        return settings.secret_mode == "encrypted"  # noqa: S105 - no password
    return settings.keys is not None or KEYS in context.environ


def opener(context: Context, stores: Stores, database: str) -> Opener | None:
    """A function that opens passwords of the database with this id; None without keys."""
    from reconciler.secrets import seal  # noqa: PLC0415 - brings cryptography

    keys = ring(context, stores, needed=False) if are_sealed(context) else None
    if keys is None:
        return None

    def opened(number: int, text: str) -> Secret:
        secret = seal.unseal(text, where(database, number), keys)
        stores.redactor.add(secret)
        return secret

    return opened


def ring(context: Context, stores: Stores, *, needed: bool) -> Keyring | None:
    """The key ring; None where neither the settings nor the environment name one.

    Raises:
        Failure: it is damaged; or it is `needed`, and is not where the settings say.
    """
    from reconciler.secrets import keyring  # noqa: PLC0415 - brings cryptography

    settings = context.settings.secrets
    try:
        return keyring.load(settings, context.environ, stores, settings.deadline)
    except Failure as failure:
        no_keys_here = ("MBX680", "MBX695")  # the settings name a place without keys, or none
        if needed or failure.problems[0].code not in no_keys_here:
            raise
    return None


def checked(
    plan: Plan,
    inputs: Inputs | None,
    connection: Connection | None,
    context: Context,
    *,
    applying: bool,
) -> Checked:
    """Read and compare the passwords of a plan.

    A plan can be made where there are no keys; an apply that is to seal needs them.

    Raises:
        Failure: a secret cannot be read, or may not be; or there are no keys, or damaged ones.
    """
    from reconciler.operations.passwords import check  # noqa: PLC0415 - brings cryptography

    settings = context.settings.secrets
    partners = {item.partner for item in plan.passwords}
    if inputs:
        partners.update(inputs.declared, inputs.loaded.unchanged)
    with Stores(settings, context.environ, context.redacting()) as stores:
        keys = ring(context, stores, needed=applying) if are_sealed(context) else None
        if connection:
            partners.update(observe.partners(connection))
        allowed, locate = Scopes(rules(settings), partners), partial(_place, inputs)
        result = check(plan, connection, stores, allowed, keys, settings.deadline, locate)
    if result.problems:
        raise Failure(result.problems, inputs.sources if inputs else None)
    return result


def _place(inputs: Inputs | None, item: Password) -> Place | None:
    """Where the manifests have a password; those of an unchanged partner are looked through."""
    if inputs is None:
        return None
    path = ("mail_servers", item.server)
    if declaration := inputs.declared.get(item.partner):
        server = declaration.servers.get(item.server)
        return Place(server.place.file, (*path, "password")) if server else None
    fact = inputs.loaded.unchanged.get(item.partner)
    for name, _digest in fact.files if fact else ():
        if path in inputs.sources.positions(name).keys:
            return Place(name, (*path, "password"))
    return None


def reference_warnings(plan: Plan, settings: SecretSettings) -> tuple[Problem, ...]:
    """A warning where it may surprise that the database keeps only references."""
    references = [
        change.after.password_reference
        for part in plan.applicable
        for change in part.changes
        if isinstance(change.after, MailServer) and change.after.password_reference
    ]
    variables = sum(reference.startswith("env:") for reference in references)
    if references and settings.secret_mode is None:
        return (Problem("MBX696", None, {"variable": KEYS}),)
    return (Problem("MBX697", None, {"count": variables}),) if variables else ()
