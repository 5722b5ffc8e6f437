"""The names that exported manifests get: ids, environment variables, files; always the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from unicodedata import normalize

from reconciler.model.state import MailServer, State

LENGTH = 63
"""The longest id."""
_VARIABLE_LENGTH = 128
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l"})
"""Letters that do not decompose to ASCII."""
_NOT_A_FILE = re.compile(
    r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?"  # devices of Windows
    r"|.*(?:\.|\.ya?ml)"  # Windows drops the dot; a folder could not be called like a manifest
)


def ids(
    servers: Mapping[str, MailServer], row_ids: Mapping[str, int], others: Iterable[str] = ()
) -> dict[str, str]:
    """The id of each server, by its name in the state: its own, or a new one from its nickname.

    No id is given twice, nor one of `others`.
    """
    unnamed = sorted((number, name) for name, number in row_ids.items() if name == f"#{number}")
    names = {name: name for name in servers}
    taken = {*servers, *others}
    for _number, name in unnamed:
        row = servers[name]
        texts = (row.nickname, row.username or "", row.direction)
        base = next(filter(None, map(slug, texts)), "mailbox")
        names[name] = next(free for free in _numbered(base, "-", LENGTH) if free not in taken)
        taken.add(names[name])
    return names


def slug(text: str) -> str:
    """`text` in the letters of an id, without accents; empty if it has none of them."""
    folded = normalize("NFKD", text[:1000].lower().translate(_LETTERS))
    plain = folded.encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LENGTH].rstrip("-")


def _numbered(base: str, dash: str, length: int) -> Iterator[str]:
    """`base`, then `base` with 2, 3, … appended, never longer than `length`."""
    yield base[:length]
    for number in count(2):
        end = f"{dash}{number}"
        yield base[: length - len(end)].rstrip(dash) + end


def new_references(
    prefix: str, state: State, names: Mapping[str, str], taken: set[str]
) -> dict[str, str]:
    """A new reference for each server of `state` that needs a password and has none.

    Each is a variable like `ACME_NFE_OUT_PASSWORD` that is added to those `taken`; `prefix` is how
    the partner's begin. `names` gives the ids, and the references are by the same keys.
    """
    references = {}
    for name in sorted(names, key=names.__getitem__):
        row = state.servers[name]
        if row.needs_password and row.password_reference is None:
            base = prefix + re.sub(r"[^A-Z0-9]", "_", names[name].upper())
            numbered = _numbered(base, "_", _VARIABLE_LENGTH - len("_PASSWORD"))
            variables = (f"{begin}_PASSWORD" for begin in numbered)
            variable = next(free for free in variables if free not in taken)
            taken.add(variable)
            references[name] = f"env:{variable}"
    return references


def file_stem(partner: str) -> str:
    """The name of a partner's file and folder, possible on any system.

    An id that is not possible is put between underscores: no id begins with one.
    """
    return f"_{partner}_" if _NOT_A_FILE.fullmatch(partner) else partner
