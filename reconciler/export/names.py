"""What is called how in exported manifests: ids, environment variables, files; always the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from unicodedata import normalize

from reconciler.model.state import MailServer

LENGTH = 63
"""How long an id may be."""
_VARIABLE_LENGTH = 128
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l"})
"""Letters that no decomposition leads back to ASCII."""
_NOT_A_FILE = re.compile(
    r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?"  # devices of Windows
    r"|.*(?:\.|\.ya?ml)"  # Windows drops the dot; a folder could not be called like a manifest
)


def is_unnamed(name: str, row_id: int) -> bool:
    """Whether a server goes by the number of its row, having no id."""
    return name == f"#{row_id}"


def ids(
    servers: Mapping[str, MailServer], row_ids: Mapping[str, int], others: Iterable[str] = ()
) -> dict[str, str]:
    """The id of each server: its own, or one made from its nickname that no other has.

    Both go by what the servers are called in their state. `others` are not to be given either.
    """
    without = sorted((number, name) for name, number in row_ids.items() if is_unnamed(name, number))
    found = {name: name for name in servers}
    taken = {*servers, *others}
    for _number, name in without:
        found[name] = _free(_made_id(servers[name]), taken)
        taken.add(found[name])
    return found


def _made_id(server: MailServer) -> str:
    texts = (server.nickname, server.username or "", server.direction)
    return next(filter(None, map(slug, texts)), "mailbox")


def slug(text: str) -> str:
    """`text` in the letters of an id, accents folded; empty where it has none of them."""
    folded = normalize("NFKD", text[:1000].lower().translate(_LETTERS))
    plain = folded.encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LENGTH].rstrip("-")


def _free(base: str, taken: set[str]) -> str:
    return next(name for name in _numbered(base, "-", LENGTH) if name not in taken)


def _numbered(base: str, dash: str, length: int) -> Iterator[str]:
    """`base`, and then with 2, 3, … behind it, never longer than `length`."""
    yield base[:length]
    for number in count(2):
        end = f"{dash}{number}"
        yield base[: length - len(end)].rstrip(dash) + end


class Variables:
    """Names of environment variables for passwords, each given once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, references: Iterable[str]) -> None:
        """Leave alone the variables that these references are to."""
        self._taken.update(reference.removeprefix("env:") for reference in references)

    def name(self, prefix: str, stable_id: str) -> str:
        """The variable for the password of a server: `ACME_NFE_OUT_PASSWORD`.

        `prefix` is what the partner's variables begin with.
        """
        base = prefix + re.sub(r"[^A-Z0-9]", "_", stable_id.upper())
        end = "_PASSWORD"
        names = _numbered(base, "_", _VARIABLE_LENGTH - len(end))
        found = next(name for name in names if f"{name}{end}" not in self._taken) + end
        self._taken.add(found)
        return found


def file_stem(partner: str) -> str:
    """What the file and the folder of a partner are called, on any system.

    Where the id itself will not do, it is put between underscores: no id begins with one.
    """
    return f"_{partner}_" if _NOT_A_FILE.fullmatch(partner) else partner
