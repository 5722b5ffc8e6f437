"""References: their forms, and who may use which."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.diagnostics.problem import Place
from reconciler.secrets import references
from reconciler.secrets.references import (
    BadReferenceError,
    Reference,
    from_short,
    from_text,
    to_mapping,
    to_text,
)
from reconciler.secrets.scope import Rules, Scopes
from reconciler.secrets.stores.kinds import KINDS

EVERY_FORM = [
    ("ref+env://ACME_PASSWORD", "env:ACME_PASSWORD", {"env": "ACME_PASSWORD"}),
    ("ref+file://acme-xml", "file:acme-xml", {"file": "acme-xml"}),
    (
        "ref+vault://smtp/acme#/password",
        "vault:smtp/acme#/password",
        {"vault": {"path": "smtp/acme", "key": "password"}},
    ),
    (
        "ref+vault://smtp/acme?version=7#/password",
        "vault:smtp/acme?version=7#/password",
        {"vault": {"path": "smtp/acme", "key": "password", "version": "7"}},
    ),
    (
        "ref+vault://smtp/acme#/password?version=7",
        "vault:smtp/acme?version=7#/password",
        {"vault": {"path": "smtp/acme", "key": "password", "version": "7"}},
    ),
    ("ref+awssecrets://acme/smtp", "aws:acme/smtp", {"aws": {"name": "acme/smtp"}}),
    (
        "ref+awssecrets:///acme/smtp#/pass-1",
        "aws:/acme/smtp#/pass-1",
        {"aws": {"name": "/acme/smtp", "key": "pass-1"}},
    ),
]


NAMES = {
    "env": st.from_regex(KINDS["env"].pattern, fullmatch=True),
    "file": st.from_regex(KINDS["file"].pattern, fullmatch=True),
    "vault": st.from_regex(KINDS["vault"].pattern, fullmatch=True),
    "aws": st.from_regex(KINDS["aws"].pattern, fullmatch=True),
}


def some() -> st.SearchStrategy[Reference]:
    """Any reference at all."""
    keys = st.from_regex(references.KEY, fullmatch=True).filter(fits)
    nothing = st.none()
    versions = nothing | st.integers(1, 999_999_999)
    rest = {"env": (nothing, nothing), "file": (nothing, nothing), "vault": (keys, versions)}
    return st.sampled_from(sorted(NAMES)).flatmap(
        lambda store: st.builds(
            Reference,
            st.just(store),
            NAMES[store].filter(fits),
            *rest.get(store, (nothing | keys, nothing)),
        )
    )


def fits(name: str) -> bool:
    """A dollar also matches before a line end."""
    return len(name) <= references.LONGEST and "\n" not in name


@pytest.mark.parametrize(("short", "text", "mapping"), EVERY_FORM)
def test_every_form_means_the_same(short: str, text: str, mapping: dict[str, Any]) -> None:
    reference = from_short(short)
    assert (to_text(reference), to_mapping(reference)) == (text, mapping)
    assert from_text(text) == reference


@given(some())
def test_what_is_kept_can_be_read_again(reference: Reference) -> None:
    text = to_text(reference)
    assert from_text(text) == reference
    assert len(text) <= 300
    scheme = KINDS[reference.store].scheme
    assert from_short(f"ref+{scheme}://{text.partition(':')[2]}") == reference


@given(st.text())
def test_text_is_a_reference_or_refused(text: str) -> None:
    for read in (from_text, from_short):
        try:
            reference = read(text)
        except BadReferenceError:
            continue
        assert read(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Senha@123",
        "ref+",
        "ref+env://",
        "ref+env:ACME",
        "REF+env://ACME",
        "ref+env://AC-ME",
        "ref+env://ACME#/key",
        "ref+env://ACME?version=1",
        "ref+env://ACME\n",
        "ref+file://../acme",
        "ref+file://.hidden",
        "ref+file://a/b",
        "ref+file:///etc/passwd",
        "ref+vault://smtp/acme",
        "ref+vault://smtp/acme#password",
        "ref+vault://smtp/../beta#/password",
        "ref+vault://smtp/./acme#/password",
        "ref+vault:///smtp/acme#/password",
        "ref+vault://smtp//acme#/password",
        "ref+vault://smtp/acme/#/password",
        "ref+vault://smtp/%61cme#/password",
        "ref+vault://smtp/acme#/pass/word",
        "ref+vault://smtp/acme?version=0#/password",
        "ref+vault://smtp/acme?version=1#/password?version=2",
        "ref+vault://smtp/acme?address=http://192.0.2.1#/password",
        "ref+vault://" + "a" * 201 + "#/password",
        "ref+awssecrets://arn:aws:secretsmanager:sa-east-1:1:secret:acme",
        "ref+awssecrets://acme?version=1",
        "ref+exec://cat /etc/passwd",
        "ref+https://192.0.2.1/",
        "ref+nothing://acme",
    ],
)
def test_anything_else_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadReferenceError) as caught:
        from_short(text)
    for said in (caught.value.form, str(caught.value), repr(caught.value)):
        assert said.count("ref+") in (1, len(KINDS))
        assert text not in said or "ref+env://NAME".startswith(text)


def test_the_form_of_the_store_that_was_meant_is_shown() -> None:
    with pytest.raises(BadReferenceError) as caught:
        from_short("ref+vault://x")
    assert caught.value.form == "ref+vault://path?version=1#/key"
    with pytest.raises(BadReferenceError) as caught:
        from_short("x")
    assert caught.value.form.count("ref+") == len(KINDS)


# --- scope

PLACE = Place("acme.yaml", ("mail_servers", "a", "password"))
NONE = Rules()
partners = st.from_regex(r"[a-c][a-c-]{0,4}", fullmatch=True)
groups = st.sets(partners, max_size=6)


def refused(
    partner: str, text: str, known: set[str] | None = None, rules: Rules = NONE
) -> str | None:
    problem = Scopes(rules, known or {partner}).problem(partner, from_text(text), PLACE)
    assert problem is None or problem.place == PLACE
    return problem.code if problem else None


@pytest.mark.parametrize(
    ("partner", "text"),
    [
        ("acme", "env:ACME_PASSWORD"),
        ("acme", "env:ACME_"),
        ("acme-sul", "env:ACME_SUL_PASSWORD"),
        ("acme.sul", "env:ACME_SUL_PASSWORD"),
        ("3m", "env:_3M_PASSWORD"),
        ("acme", "file:acme-xml"),
        ("acme", "vault:smtp/acme/nfe#/password"),
        ("acme", "vault:smtp/acme#/password"),
        ("acme", "vault:acme#/password"),
        ("acme", "aws:/prod/acme/nfe"),
    ],
)
def test_a_partner_may_use_its_own(partner: str, text: str) -> None:
    assert refused(partner, text) is None


@pytest.mark.parametrize(
    ("partner", "text"),
    [
        ("acme", "env:BETA_PASSWORD"),
        ("acme", "env:ACME"),
        ("acme", "env:ACMEPASSWORD"),
        ("acme", "env:acme_password"),
        ("acme", "file:acme"),
        ("acme", "file:beta-xml"),
        ("acme", "vault:smtp/acme-nfe#/acme"),
        ("acme", "vault:smtp/beta/nfe#/password"),
        ("acme", "aws:acmes/nfe"),
    ],
)
def test_a_partner_may_use_nothing_else(partner: str, text: str) -> None:
    assert refused(partner, text) == "MBX660"


def test_what_lies_in_two_partners_prefixes_is_nobodys_until_the_settings_say_so() -> None:
    known = {"acme", "acme-sul"}
    assert refused("acme", "env:ACME_SUL_X", known) == "MBX661"
    assert refused("acme", "env:ACME_NFE", known) == "MBX661"
    assert refused("acme-sul", "env:ACME_SUL_X", known) is None
    explicit = Rules({"acme": {"env": ("ACME_NFE*", "SHARED")}})
    assert refused("acme", "env:ACME_NFE", known, explicit) is None
    assert refused("acme", "env:SHARED", known, explicit) is None
    assert refused("acme", "env:SHARED_X", known, explicit) == "MBX660"
    assert refused("acme", "env:ACME_SUL_X", known, explicit) == "MBX660"
    assert refused("acme", "file:acme-x", known, explicit) == "MBX661"


@pytest.mark.parametrize("known", [{"acme.sul", "acme-sul"}, {"acme-sul", "ACME_SUL"}])
def test_partners_spelled_alike_have_no_default(known: set[str]) -> None:
    for partner in known:
        assert refused(partner, "env:ACME_SUL_X", known) == "MBX661"


def test_a_path_with_two_partners_is_nobodys() -> None:
    known = {"acme", "beta"}
    assert refused("acme", "vault:beta/acme#/password", known) == "MBX660"
    assert refused("beta", "vault:beta/acme#/password", known) == "MBX660"
    assert refused("acme", "vault:acme/smtp#/password", known) is None


def test_what_was_given_to_one_is_no_longer_anothers_by_default() -> None:
    rules = Rules({"beta": {"env": ("ACME_SHARED",), "vault": ("smtp/acme/shared/*",)}})
    assert refused("beta", "env:ACME_SHARED", {"acme", "beta"}, rules) is None
    assert refused("acme", "env:ACME_SHARED", {"acme"}, rules) == "MBX661"
    assert refused("acme", "vault:smtp/acme/x#/y", {"acme"}, rules) == "MBX661"
    assert refused("acme", "file:acme-x", {"acme"}, rules) is None


@pytest.mark.parametrize("partner", ["aws", "vault", "ci", "github", "ci-cd", "python"])
def test_a_partner_called_like_a_tool_has_no_default(partner: str) -> None:
    name = f"{partner.upper().replace('-', '_')}_TOKEN"
    assert refused(partner, f"env:{name}") == "MBX661"
    assert refused(partner, f"env:{name}", rules=Rules({partner: {"env": (name,)}})) is None


def test_the_tools_own_secrets_are_nobodys() -> None:
    own = frozenset({("env", "ACME_VAULT"), ("file", "acme-keys")})
    rules = Rules({"acme": {"env": ("*",), "file": ("*",)}}, own=own)
    for text in ("env:ACME_VAULT", "file:acme-keys", "env:RECONCILER_KEYS", "file:reconciler-x"):
        assert refused("acme", text, rules=rules) == "MBX662"
    assert refused("acme", "env:ANYTHING", rules=rules) is None
    assert refused("reconciler", "env:RECONCILER_KEYS") == "MBX662"


def test_the_settings_say_where_everybodys_are() -> None:
    rules = Rules(prefixes={"vault": "smtp/{partner}/", "env": "MAIL_{partner}_"})
    assert refused("acme-sul", "vault:smtp/acme-sul/x#/y", rules=rules) is None
    assert refused("acme-sul", "vault:prod/acme-sul/x#/y", rules=rules) == "MBX660"
    assert refused("acme-sul", "env:MAIL_ACME_SUL_X", rules=rules) is None
    assert refused("acme-sul", "env:ACME_SUL_X", rules=rules) == "MBX660"


def test_the_message_says_what_is_allowed_and_nothing_of_others() -> None:
    scopes = Scopes(Rules({"none": {"env": ()}}), {"acme", "acme-sul", "beta", "none"})
    out = scopes.problem("beta", Reference("env", "hunter2"), None)
    assert out
    assert out.values == {"partner": "beta", "store": "env", "allowed": "BETA_*"}
    shared = scopes.problem("acme", Reference("env", "hunter2"), None)
    assert shared
    assert shared.values == {"partner": "acme", "store": "env", "pattern": "ACME_*"}
    nothing = scopes.problem("none", Reference("env", "hunter2"), None)
    assert nothing
    assert nothing.values["allowed"] == "–"


@given(some(), groups)
def test_no_two_partners_have_the_same_secret_by_default(
    reference: Reference, known: set[str]
) -> None:
    scopes = Scopes(Rules(), known)
    users = [one for one in known if scopes.problem(one, reference, None) is None]
    assert len(users) <= 1


@given(partners, groups, st.text("abc", max_size=3), st.sampled_from(["env", "file", "vault"]))
def test_the_more_partners_are_known_the_less_is_allowed(
    partner: str, known: set[str], rest: str, store: str
) -> None:
    name = {
        "env": f"{re.sub('[^A-Z]', '_', partner.upper())}_{rest.upper()}",
        "file": f"{partner}-{rest}",
        "vault": f"smtp/{partner}/x{rest}",
    }[store]
    reference = Reference(store, name)
    alone, among = Scopes(Rules(), {partner}), Scopes(Rules(), known | {partner})
    assert alone.problem(partner, reference, None) is None
    if among.problem(partner, reference, None) is None:
        assert all(
            Scopes(Rules(), known | {partner}).problem(other, reference, None)
            for other in known - {partner}
        )


@given(partners, groups, some(), st.sampled_from(["*", "A*", "acme*"]))
def test_what_the_settings_say_is_what_counts(
    partner: str, known: set[str], reference: Reference, pattern: str
) -> None:
    assume(not reference.name.startswith(("RECONCILER_", "reconciler-")))
    rules = Rules({partner: {reference.store: (pattern,)}})
    allowed = Scopes(rules, known).problem(partner, reference, None) is None
    assert allowed is reference.name.startswith(pattern[:-1])


def test_texts_of_the_database_are_looked_at_the_same_way() -> None:
    scopes = Scopes(Rules({"beta": {"env": ("RELAY",)}}), {"acme", "beta"})
    assert scopes.allows("acme", "env:ACME_X")
    assert scopes.allows("acme", "vault:smtp/acme?version=2#/x")
    assert scopes.allows("beta", "env:RELAY")
    for text in ("env:RELAY", "env:BETA_X", "hunter2", "", "env:", "ACME_X", "ref+env://ACME_X"):
        assert not scopes.allows("acme", text)


@pytest.mark.parametrize(
    ("rules", "prefix"),
    [
        (NONE, "ACME_"),
        (Rules(prefixes={"env": "MAIL_{partner}_"}), "MAIL_ACME_"),
        (Rules({"acme": {"env": ("ACME_*",)}}), "ACME_"),
        (Rules({"acme": {"env": ("A*", "X*")}}), "ACME_"),
        (Rules({"acme": {"env": ("RELAY", "SHARED_*")}}), "SHARED_"),
        (Rules({"acme": {"env": ("RELAY",)}}), "ACME_"),
    ],
)
def test_a_new_name_begins_as_the_partners_do(rules: Rules, prefix: str) -> None:
    scopes = Scopes(rules, {"acme"})
    assert scopes.prefix("env", "acme") == prefix
    allowed = scopes.allows("acme", f"env:{prefix}X")
    assert allowed is (rules.partners != {"acme": {"env": ("RELAY",)}})


@given(partners, groups, groups, st.sampled_from(["env", "file"]), st.text("abc-", max_size=4))
def test_who_is_not_crowded_keeps_what_it_has(
    partner: str, known: set[str], more: set[str], store: str, rest: str
) -> None:
    before = Scopes(NONE, known | {partner})
    name = before.prefix(store, partner) + rest
    after = Scopes(NONE, known | more | {partner})
    reference = Reference(store, name)
    if before.problem(partner, reference, None) is None and not after.is_crowded(partner):
        assert after.problem(partner, reference, None) is None
