"""Which companies each server is linked to, from whichever side that is written."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from reconciler.desired.desire import Desired, desire
from reconciler.diagnostics.problem import Place
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model.cnpj import masked
from reconciler.model.state import EMPTY, Link, State
from tests.support.estates import (
    FILE,
    PARTNER,
    Manifest,
    cnpj,
    codes,
    companies,
    company,
    covers,
    declare,
    incoming,
    link,
    manifest,
    outgoing,
    server,
    state,
)

HEAD, FIRST, SECOND = cnpj(1), cnpj(2), cnpj(3)
OTHER = cnpj(1, root="AB12CD34")
OWN_FILE = "acme-1.yaml"
FOREIGN: dict[str, Any] = {"project": None, "file": None}


def all_companies(**keys: Any) -> Manifest:
    """Four companies; HEAD is the head office of FIRST and SECOND."""
    declared = companies(HEAD, FIRST, SECOND, OTHER, own_mailboxes=True, **keys)
    declared[masked(HEAD)] = {**declared[masked(HEAD)], "head_office": True}
    return declared


def linking(items: list[Any], entry: Manifest | None = None, **keys: Any) -> PartnerDeclaration:
    """A server that is linked so."""
    servers = {"a": {**(entry or outgoing("a")), "companies": items}}
    return declare(manifest(companies=all_companies(**keys), mail_servers=servers))


def importing(
    imports: list[Manifest], items: list[Any] | None = None, **sections: Any
) -> PartnerDeclaration:
    """FIRST's own file, beside a server of the partner that is linked so."""
    servers = {"a": outgoing("a", companies=items or [], **sections.pop("keys", {}))}
    return declare(
        manifest(companies=all_companies(), mail_servers=servers),
        manifest(company=FIRST, import_from=imports, **sections),
    )


def desired(declared: PartnerDeclaration, observed: State = EMPTY, **fields: Any) -> Desired:
    coverage = covers(FILE, OWN_FILE, "acme-2.yaml")
    return desire(declared, observed, coverage, **fields)


def links(found: Desired, name: str = "a") -> list[str]:
    return [row.cnpj for row in found.state.links.get(name, ())]


def where(place: Place | None) -> tuple[str | int, ...]:
    """The file and the item of a place."""
    assert place
    return (place.file, *place.path[:4])


def names_by_company(found: Desired, name: str = "a") -> dict[str, str | None]:
    return {row.cnpj: row.sender_name for row in found.state.links.get(name, ())}


class Case(NamedTuple):
    """The companies of a server, and what it is linked to by which sender name."""

    items: list[Any]
    links: dict[str, str | None]
    codes: list[str]


def everybody(sender_name: str | None = None, **others: str | None) -> dict[str, str | None]:
    return {**dict.fromkeys([HEAD, FIRST, SECOND, OTHER], sender_name), **others}


CASES = {
    "nobody": Case([], {}, []),
    "one": Case([FIRST], {FIRST: None}, []),
    "one with its mask": Case([masked(FIRST)], {FIRST: None}, []),
    "one in lower case": Case([masked(OTHER).lower()], {OTHER: None}, []),
    "one with a sender name": Case(
        [{"cnpj": FIRST, "sender_name": "Filial"}], {FIRST: "Filial"}, []
    ),
    "several": Case([SECOND, FIRST, OTHER], {FIRST: None, SECOND: None, OTHER: None}, []),
    "all": Case([{"all": True}], everybody(), []),
    "all with a sender name": Case([{"all": True, "sender_name": "Acme"}], everybody("Acme"), []),
    "branches": Case([{"branches_of": HEAD}], {FIRST: None, SECOND: None}, []),
    "branches of a branch are its sisters": Case(
        [{"branches_of": FIRST}], {HEAD: None, SECOND: None}, []
    ),
    "branches and the one itself": Case(
        [HEAD, {"branches_of": HEAD}], {HEAD: None, FIRST: None, SECOND: None}, []
    ),
    "branches of one that has none": Case([{"branches_of": OTHER}], {}, ["MBX326"]),
    "branches of one that nobody knows": Case(
        [{"branches_of": cnpj(1, root=99999999)}], {}, ["MBX326"]
    ),
    "explicit beats all": Case(
        [{"all": True, "sender_name": "Acme"}, {"cnpj": FIRST, "sender_name": "Filial"}],
        everybody("Acme", **{FIRST: "Filial"}),
        [],
    ),
    "explicit without a name beats all with one": Case(
        [{"all": True, "sender_name": "Acme"}, FIRST], everybody("Acme", **{FIRST: None}), []
    ),
    "explicit beats branches": Case(
        [{"branches_of": HEAD, "sender_name": "Filiais"}, {"cnpj": FIRST, "sender_name": "Filial"}],
        {FIRST: "Filial", SECOND: "Filiais"},
        [],
    ),
    "branches beat all": Case(
        [{"all": True, "sender_name": "Acme"}, {"branches_of": HEAD, "sender_name": "Filiais"}],
        everybody("Acme", **{FIRST: "Filiais", SECOND: "Filiais"}),
        [],
    ),
    "explicit beats branches, which beat all, in any order": Case(
        [
            {"cnpj": SECOND, "sender_name": "Dois"},
            {"branches_of": HEAD, "sender_name": "Filiais"},
            {"all": True, "sender_name": "Acme"},
        ],
        everybody("Acme", **{FIRST: "Filiais", SECOND: "Dois"}),
        [],
    ),
    "the same company twice": Case([FIRST, FIRST], {FIRST: None}, ["MBX305"]),
    "in two spellings": Case([FIRST, masked(FIRST)], {FIRST: None}, ["MBX305"]),
    "as text and as mapping": Case(
        [FIRST, {"cnpj": FIRST, "sender_name": "Filial"}], {FIRST: None}, ["MBX305"]
    ),
    "an unknown company": Case([cnpj(7)], {cnpj(7): None}, ["MBX309"]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_companies_of_a_server(name: str) -> None:
    case = CASES[name]
    found = desired(linking(case.items))
    assert names_by_company(found) == case.links
    assert codes(found.problems) == case.codes
    assert found.skipped == 0


@pytest.mark.parametrize("item", [{"cnpj": FIRST}, {"all": True}, {"branches_of": HEAD}])
@pytest.mark.parametrize("active", [True, False])
def test_every_item_may_be_inactive(item: Manifest, active: bool) -> None:
    found = desired(linking([{**item, "active": active}]))
    assert {row.active for row in found.state.links["a"]} == {active}


def test_the_same_link_twice_shows_both_places() -> None:
    (problem,) = desired(linking([HEAD, FIRST, masked(FIRST)])).problems
    assert problem.code == "MBX305"
    assert where(problem.place) == (FILE, "mail_servers", "a", "companies", 2)
    assert [*map(where, problem.others)] == [(FILE, "mail_servers", "a", "companies", 1)]
    assert problem.values == {"name": masked(FIRST), "server": "a"}


def test_a_link_says_who_declares_it() -> None:
    assert desired(linking([FIRST])).state.links["a"] == (link(FIRST),)
    found = desired(importing([{"partner": "a", "sender_name": "Filial", "active": False}]))
    assert found.state.links["a"] == (
        Link(FIRST, "Filial", active=False, project="", file=OWN_FILE),
    )


# Reading mail


READERS = {
    "one that may": ([FIRST], [FIRST], [], 0),
    "one that may not": ([SECOND], [SECOND], ["MBX314"], 0),
    "all: the others are counted": ([{"all": True}], [FIRST], [], 3),
    "branches: the others are counted": ([{"branches_of": HEAD}], [FIRST], [], 1),
    "all and branches: nobody is counted twice": (
        [{"all": True}, {"branches_of": HEAD}],
        [FIRST],
        [],
        3,
    ),
    "one that may not, and all": ([SECOND, {"all": True}], [FIRST, SECOND], ["MBX314"], 2),
}


@pytest.mark.parametrize("name", READERS)
def test_an_incoming_server_needs_companies_that_import_documents(name: str) -> None:
    items, expected, problems, skipped = READERS[name]
    declared = all_companies()
    declared[masked(FIRST)] = {**declared[masked(FIRST)], "extensions": ["document_import"]}
    servers = {"a": incoming("a", companies=items)}
    found = desired(declare(manifest(companies=declared, mail_servers=servers)))
    assert (links(found), codes(found.problems), found.skipped) == (expected, problems, skipped)


def test_an_outgoing_server_needs_no_extension() -> None:
    assert desired(linking([{"all": True}])).skipped == 0


# What the database knows


REGISTERED = state([company(cnpj(8), **FOREIGN)])


def test_a_company_that_only_the_database_has_can_be_linked() -> None:
    found = desired(linking([cnpj(8)]), REGISTERED)
    assert links(found) == [cnpj(8)]
    assert codes(found.problems) == []


@pytest.mark.parametrize("item", [{"all": True}, {"branches_of": HEAD}], ids=["all", "branches"])
def test_all_and_branches_take_in_registered_companies(item: Manifest) -> None:
    found = desired(linking([item]), REGISTERED)
    assert cnpj(8) in links(found)


def test_without_a_database_an_unknown_company_is_a_warning() -> None:
    (problem,) = desired(linking([cnpj(20)]), offline=True).problems
    assert problem.code == "MBX308"


def test_an_unknown_company_is_compared_with_the_known_ones() -> None:
    (problem,) = desired(linking([cnpj(23)])).problems
    assert problem.code == "MBX309"
    assert problem.values["suggestion"] in {masked(number) for number in (HEAD, FIRST, SECOND)}


def test_a_company_of_another_partner_is_refused_without_its_name() -> None:
    foreign = cnpj(1, root=77777777)
    found = desired(linking([foreign]), elsewhere=frozenset([foreign]))
    (problem,) = found.problems
    assert (problem.code, problem.values) == ("MBX306", {"name": masked(foreign)})


def test_a_company_that_another_partner_has_is_refused_where_it_is_declared() -> None:
    (problem,) = desired(linking([]), elsewhere=frozenset([FIRST])).problems
    assert problem.code == "MBX306"
    assert problem.place == Place(FILE, ("companies", masked(FIRST)))


def test_links_that_no_manifest_declared_are_left_alone() -> None:
    observed = state(
        [company(FIRST), company(cnpj(8), **FOREIGN)],
        [server("a")],
        {"a": [link(HEAD), link(FIRST, **FOREIGN), link(cnpj(8), **FOREIGN)]},
    )
    found = desired(linking([SECOND]), observed)
    assert links(found) == [FIRST, SECOND, cnpj(8)]


def test_exclusive_links_are_the_whole_truth() -> None:
    observed = state([company(FIRST)], [server("a")], {"a": [link(HEAD), link(FIRST, **FOREIGN)]})
    found = desired(linking([SECOND], outgoing("a", exclusive_links=True)), observed)
    assert links(found) == [SECOND]


def test_a_link_that_another_program_made_is_taken_over_where_it_is_declared() -> None:
    observed = state([company(FIRST)], [server("a")], {"a": [link(FIRST, **FOREIGN)]})
    assert desired(linking([FIRST]), observed).state.links["a"] == (link(FIRST),)


def test_links_of_files_that_were_not_given_stay() -> None:
    observed = state(
        [company(FIRST)], [server("a")], {"a": [link(FIRST, file="not-given.yaml"), link(HEAD)]}
    )
    coverage = covers(FILE, whole=False)
    assert links(desire(linking([]), observed, coverage)) == [FIRST]


# A company's own file


def test_a_companys_own_server_is_linked_to_it() -> None:
    found = desired(importing([], mail_servers={"own": outgoing("own")}))
    assert found.state.links["own"] == (link(FIRST, file=OWN_FILE),)
    assert found.state.servers["own"].company == FIRST
    assert codes(found.problems) == []


def test_unless_it_says_that_it_is_not() -> None:
    found = desired(importing([], mail_servers={"own": outgoing("own", linked=False)}))
    assert "own" not in found.state.links
    assert codes(found.problems) == []


def test_mailboxes_of_its_own_need_permission() -> None:
    declared = declare(
        manifest(companies=companies(FIRST)),
        manifest(company=FIRST, mail_servers={"own": outgoing("own")}),
    )
    (problem,) = desired(declared).problems
    assert problem.code == "MBX315"
    assert problem.place == Place(OWN_FILE, ("company",), "value")


def test_imports_need_no_permission() -> None:
    declared = declare(
        manifest(companies=companies(FIRST), mail_servers={"a": outgoing("a")}),
        manifest(company=FIRST, import_from=[{"partner": "a"}]),
    )
    assert desired(declared).problems == ()


class Import(NamedTuple):
    """What FIRST imports, beside a server "a" that is linked so."""

    imports: list[Manifest]
    items: list[Any]
    codes: list[str]
    keys: Manifest = {}  # noqa: RUF012 - never written to
    links: list[str] = []  # noqa: RUF012


IMPORTS = {
    "from the partner": Import([{"partner": "a"}], [], [], links=[FIRST]),
    "from the partner, beside others": Import(
        [{"partner": "a"}], [HEAD, OTHER], [], links=[HEAD, FIRST, OTHER]
    ),
    "from the partner, not importable": Import(
        [{"partner": "a"}], [HEAD], ["MBX313"], {"importable": False}, [HEAD]
    ),
    "from the head office": Import([{"head_office": "a"}], [HEAD], [], links=[HEAD, FIRST]),
    "from the head office, not importable": Import(
        [{"head_office": "a"}], [HEAD], [], {"importable": False}, [HEAD, FIRST]
    ),
    "from the head office, which all includes": Import(
        [{"head_office": "a"}], [{"all": True}], [], links=[HEAD, FIRST, SECOND, OTHER]
    ),
    "from the head office, a branch of which is linked": Import(
        [{"head_office": "a"}], [SECOND], ["MBX312"], links=[FIRST, SECOND]
    ),
    "from the head office, not linked": Import(
        [{"head_office": "a"}], [], ["MBX312"], links=[FIRST]
    ),
    "from the head office, another root's is linked": Import(
        [{"head_office": "a"}], [OTHER], ["MBX312"], links=[FIRST, OTHER]
    ),
    "linked already": Import([{"partner": "a"}], [FIRST], ["MBX305"], links=[FIRST]),
    "linked already by the head office's": Import(
        [{"head_office": "a"}], [HEAD, FIRST], ["MBX305"], links=[HEAD, FIRST]
    ),
    "twice": Import([{"partner": "a"}, {"partner": "a"}], [], ["MBX305"], links=[FIRST]),
    "from both": Import(
        [{"partner": "a"}, {"head_office": "a"}], [HEAD], ["MBX305"], links=[HEAD, FIRST]
    ),
    "in all already: explicit beats it": Import(
        [{"partner": "a"}], [{"all": True}], [], links=[HEAD, FIRST, SECOND, OTHER]
    ),
    "in branches already: explicit beats it": Import(
        [{"partner": "a"}], [{"branches_of": HEAD}], [], links=[FIRST, SECOND]
    ),
    "an unknown server": Import([{"partner": "b"}], [], ["MBX311"]),
    "an unknown server of the head office": Import([{"head_office": "b"}], [], ["MBX311"]),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_what_a_company_imports(name: str) -> None:
    case = IMPORTS[name]
    found = desired(importing(case.imports, case.items, keys=case.keys))
    assert codes(found.problems) == case.codes
    assert links(found) == case.links


def test_an_import_beats_all_with_its_sender_name() -> None:
    declared = importing(
        [{"partner": "a", "sender_name": "Filial"}], [{"all": True, "sender_name": "Acme"}]
    )
    assert names_by_company(desired(declared)) == everybody("Acme", **{FIRST: "Filial"})


def test_a_link_from_both_sides_shows_both_places() -> None:
    (problem,) = desired(importing([{"partner": "a"}], [HEAD, FIRST])).problems
    assert problem.code == "MBX305"
    assert where(problem.place) == (OWN_FILE, "import_from", 0, "partner")
    assert [*map(where, problem.others)] == [(FILE, "mail_servers", "a", "companies", 1)]


@pytest.mark.parametrize(("owner", "source"), [(FIRST, "partner"), (HEAD, "head_office")])
def test_a_company_imports_no_other_companys_own_server(owner: str, source: str) -> None:
    declared = declare(
        manifest(companies=all_companies()),
        manifest(company=owner, mail_servers={"own": outgoing("own")}),
        manifest(company=SECOND, import_from=[{source: "own"}]),
    )
    found = desired(declared)
    assert codes(found.problems) == ["MBX313"]
    assert links(found, "own") == [owner]


def test_a_head_office_that_imports_is_one_that_branches_import_from() -> None:
    declared = declare(
        manifest(companies=all_companies(), mail_servers={"a": outgoing("a")}),
        manifest(company=HEAD, import_from=[{"partner": "a"}]),
        manifest(company=FIRST, import_from=[{"head_office": "a"}]),
    )
    found = desired(declared)
    assert codes(found.problems) == []
    assert links(found) == [HEAD, FIRST]


@pytest.mark.parametrize("keys", [{}, {"importable": False}], ids=["importable", "not importable"])
def test_a_head_office_is_not_linked_by_importing_from_itself(keys: Manifest) -> None:
    declared = declare(
        manifest(companies=all_companies(), mail_servers={"a": outgoing("a", **keys)}),
        manifest(company=HEAD, import_from=[{"head_office": "a"}]),
    )
    assert codes(desired(declared).problems) == ["MBX312"]


def test_the_head_office_may_be_one_that_only_the_database_has() -> None:
    servers = {"a": outgoing("a", companies=[HEAD])}
    declared = declare(
        manifest(companies=companies(FIRST), mail_servers=servers),
        manifest(company=FIRST, import_from=[{"head_office": "a"}]),
    )
    registered = state([company(HEAD, **FOREIGN)], head_offices=[HEAD])
    assert codes(desired(declared, registered).problems) == []
    nobody = state([company(HEAD, **FOREIGN)])
    assert codes(desired(declared, nobody).problems) == ["MBX312"]
    assert codes(desired(declared, offline=True).problems) == ["MBX308"]


def test_a_company_imports_reading_only_with_the_extension() -> None:
    declared = declare(
        manifest(companies=all_companies(), mail_servers={"a": incoming("a")}),
        manifest(company=FIRST, import_from=[{"partner": "a"}]),
    )
    (problem,) = desired(declared).problems
    assert problem.code == "MBX314"
    assert where(problem.place) == (OWN_FILE, "import_from", 0, "partner")


def test_without_a_database_an_unknown_server_is_a_warning() -> None:
    (problem,) = desired(importing([{"partner": "aa"}]), offline=True).problems
    assert (problem.code, problem.values["suggestion"]) == ("MBX310", "a")


def test_a_server_that_only_the_database_has_can_be_imported() -> None:
    observed = state([company(FIRST)], [server("theirs", **FOREIGN)])
    found = desired(importing([{"partner": "theirs"}]), observed)
    assert codes(found.problems) == []
    assert links(found, "theirs") == [FIRST]


def test_the_company_of_a_file_must_be_known() -> None:
    declared = declare(
        manifest(mail_servers={"a": outgoing("a")}),
        manifest(company=FIRST, import_from=[{"partner": "a"}]),
    )
    (problem,) = desired(declared).problems
    assert problem.code == "MBX309"
    assert problem.place == Place(OWN_FILE, ("company",), "value")
    assert codes(desired(declared, offline=True).problems) == ["MBX308"]
    assert desired(declared, state([company(FIRST)])).problems == ()


def test_another_partners_company_has_no_file_here() -> None:
    declared = declare(manifest(company=FIRST), manifest())
    (problem,) = desired(declared, elsewhere=frozenset([FIRST])).problems
    assert problem.code == "MBX306"
    assert PARTNER not in str(problem.values)
