"""A draft is read and planned as any manifest is: it must change nothing but ownership."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.desired.desire import desire
from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Place, Problem, Severity
from reconciler.export.draft import Draft
from reconciler.export.unsayable import PARTNER, RowName, Unfit, column, of_problem, words
from reconciler.manifests import secrets
from reconciler.manifests.load import parse
from reconciler.manifests.partner import PartnerDeclaration, by_partner
from reconciler.manifests.read import ReadLimits
from reconciler.model.cnpj import masked
from reconciler.model.coverage import Coverage
from reconciler.model.state import HeadOffice, Link, MailServer, State
from reconciler.plan.alarm import Alarm, Case
from reconciler.plan.diff import Change, diff
from reconciler.plan.guards import alarms
from reconciler.plan.ownership import Difference, differences
from reconciler.secrets.scope import Scopes

_BOTH = frozenset({"MBX302", "MBX303", "MBX304", "MBX307"})
"""Where one is as much at fault as the other."""
_MEANT = {"MBX304": "username", "MBX307": "head_office"}
"""The fields that problems of whole entries are about."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What manifests are read and planned with.

    `scopes` know all partners; `elsewhere` are the CNPJs of other partners.
    """

    project: str
    limits: ReadLimits
    paths: Mapping[str, tuple[str, ...]]
    scopes: Scopes
    elsewhere: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of it: rows that cannot be said, what else is wrong, the guards it sets off."""

    unfit: tuple[Unfit, ...] = ()
    problems: tuple[Problem, ...] = ()
    alarms: tuple[Alarm, ...] = ()


def prove(partner: str, draft: Draft, state: State, terms: Terms) -> Proof:
    """Validate and plan a draft of `state`."""
    declared, problems = _read(draft, terms)
    if partner not in declared:
        return _blamed(problems, draft, state)
    coverage = Coverage(terms.project, frozenset(file.name for file in draft.files), whole=True)
    desired = desire(declared[partner], state, coverage, terms.elsewhere)
    outside = secrets.problems(declared[partner], terms.scopes)
    wrong = [item for item in (*problems, *desired.problems, *outside) if _is_error(item)]
    if wrong:
        return _blamed(wrong, draft, state)
    before = state.renamed(desired.new_names)
    changes = diff(partner, before, desired.state)
    unfit = tuple(
        item
        for difference in differences(changes, terms.project)
        for item in _different(difference, draft, state)
    )
    return Proof(unfit, (), alarms(Case(changes, before, desired.state, coverage)))


def _read(draft: Draft, terms: Terms) -> tuple[dict[str, PartnerDeclaration], list[Problem]]:
    files, problems = [], []
    for written in draft.files:
        declaration, found = parse(written.text.encode(), written.name, terms.limits, terms.project)
        problems += found
        if declaration:
            files.append(declaration)
    declared, between = by_partner(files, terms.paths)
    return declared, [*problems, *between]


def _is_error(problem: Problem) -> bool:
    return MESSAGES[problem.code].severity is Severity.ERROR


def _blamed(problems: Iterable[Problem], draft: Draft, state: State) -> Proof:
    """The rows that these problems are about, and the problems that are about none."""
    blame = _Blame(draft, state)
    unfit: list[Unfit] = []
    rest: list[Problem] = []
    for problem in filter(_is_error, problems):
        found = list(blame.of(problem))
        unfit += found
        if not found:
            rest.append(problem)
    return Proof(tuple(unfit), tuple(rest))


class _Blame:
    """Leads from places in a draft back to the rows."""

    def __init__(self, draft: Draft, state: State) -> None:
        self._draft = draft
        self._state = state
        self._companies = {masked(cnpj): cnpj for cnpj in state.companies}
        self._owners = {file.name: file.company for file in draft.files}

    def of(self, problem: Problem) -> Iterator[Unfit]:
        """The rows that a problem is about, each with the field."""
        places = [problem.place, *problem.others] if problem.code in _BOTH else [problem.place]
        for place in places:
            if place and not place.mark:
                for (kind, name), field in self._rows(place, problem):
                    yield of_problem(kind, name, _MEANT.get(problem.code, field), problem)

    def _rows(self, place: Place, problem: Problem) -> Iterator[tuple[RowName, str]]:
        match place.path:
            case ("mail_servers", str(stable_id), "companies", int(index), *rest):
                name = self._draft.names[stable_id]
                link = self._draft.links[name][index]
                yield ("link", f"{name}/{link.cnpj}"), column(rest, "cnpj")
            case ("mail_servers", str(stable_id), *rest):
                field = column(rest or [problem.values.get("key")], "stable_id")
                yield ("server", self._draft.names[stable_id]), field
            case ("companies", str(key), *rest):
                yield ("company", self._companies[key]), column(rest, "cnpj")
            case ("hosts", str(host), *rest):
                yield from self._of_host(host, [str(step) for step in rest])
            case ("company",):
                one = problem.values.get("server")
                for stable_id, name in self._draft.names.items():
                    owner = self._state.servers[name].company
                    if owner == self._owners[place.file] and one in (None, stable_id):
                        yield ("server", name), "company"
            case ("partner",) if problem.code != "MBX320":  # which is about the folder
                yield PARTNER, "id"

    def _of_host(self, host: str, rest: list[str]) -> Iterator[tuple[RowName, str]]:
        """The profile; where there is none, the servers that have what they share from it."""
        field = rest[1] if len(rest) > 1 else "host"
        for key, profile in self._draft.profiles.items():
            if profile.host != host or key[1] not in (rest[:1] or [key[1]]):
                continue
            if key in self._state.hosts:
                yield ("host", "/".join(key)), field
                continue
            for name in self._draft.names.values():
                row = self._state.servers[name]
                alike = field == "host" or getattr(row, field) == getattr(profile, field)
                if (row.host.lower(), row.protocol) == key and alike:
                    yield ("server", name), field


def _different(difference: Difference, draft: Draft, state: State) -> Iterator[Unfit]:
    """The rows that would not stay as they are."""
    change, field, before, after = difference
    if field:
        unfit = Unfit("", "", field, "MBX702", words(Problem("MBX702")), _becomes(before, after))
    else:
        problem = Problem("MBX707" if after is None else "MBX706")
        unfit = of_problem("", "", "stable_id", problem)
    for kind, name in _rows_of(change, draft, state):
        yield unfit._replace(kind=kind, name=name)


def _becomes(before: object, after: object) -> str:
    return " → ".join("–" if value is None else str(value) for value in (before, after))


def _rows_of(change: Change, draft: Draft, state: State) -> Iterator[RowName]:
    """The rows of the state that a change is about, by the names they have there."""
    server = draft.names.get(change.server, change.server)
    match change.row:
        case Link(cnpj=cnpj) if state.servers[server].company != cnpj:
            yield "link", f"{server}/{cnpj}"
        case Link() | MailServer():  # a company's own mailbox is one with its link
            yield "server", server
        case HeadOffice():
            for row in (change.before, change.after):
                for cnpj in row.cnpj.split() if isinstance(row, HeadOffice) else ():
                    yield "company", cnpj
        case _:
            yield change.kind, change.name
