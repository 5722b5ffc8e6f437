"""An estate of any size to measure with, the same bytes every time.

`python -m benchmarks.estate DIR --servers N` writes N mail servers with ten links each, for N/20
partners of twenty companies, one file a partner.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.partners import partners

if TYPE_CHECKING:
    from benchmarks.partners import Partner, Server

_FILES_PER_FOLDER = 100


def write(directory: Path, servers: int, changed_percent: float = 0) -> None:
    """Write the estate below `directory`, in folders of a hundred files."""
    for partner in partners(servers, changed_percent):
        folder = directory / f"partners-{(partner.number - 1) // _FILES_PER_FOLDER:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{partner.id}.yaml").write_text(manifest(partner), encoding="utf-8")


def manifest(partner: Partner) -> str:
    """The file of one partner."""
    companies = (_company(partner, order, cnpj) for order, cnpj in enumerate(partner.cnpjs, 1))
    return (
        "version: 1\n"
        f"partner: {partner.id}\n"
        "\nhosts:\n"
        f"  mail.{partner.domain}:\n"
        "    smtp: {port: 587, security: starttls, timeout: 20s}\n"
        "    imap: {port: 993, security: tls}\n"
        f"\ncompanies:\n{''.join(companies)}"
        f"\nmail_servers:\n{''.join(map(_mail_server, partner.mail_servers()))}"
    )


def _company(partner: Partner, order: int, cnpj: str) -> str:
    head_office = order == 1
    nickname = f"Parceiro {partner.number} " + ("Matriz" if head_office else f"Filial {order:02}")
    return (
        f'  "{cnpj}":\n'
        f"    nickname: {nickname}\n"
        + ("    head_office: true\n" if head_office else "")
        + f"    notification_email: fiscal-{order:02}@{partner.domain}\n"
        "    extensions: [document_import]\n"
    )


def _mail_server(server: Server) -> str:
    sender = f"{{name: {server.sender_name}, email: {server.username}}}"
    own = f"sender: {sender}" if server.outgoing else "folder: INBOX"
    return (
        f"  {server.id}:\n"
        f"    direction: {'outgoing' if server.outgoing else 'incoming'}\n"
        f"    protocol: {'smtp' if server.outgoing else 'imap'}\n"
        f"    nickname: {server.nickname}\n"
        "    active: true\n"
        f"    host: {server.host}\n"
        f"    username: {server.username}\n"
        f"    password: {{env: {server.password_env}}}\n"
        f"    {own}\n"
        f"    companies:\n{''.join(_link(*link) for link in server.links)}"
    )


def _link(cnpj: str, sender_name: str) -> str:
    if not sender_name:
        return f'      - "{cnpj}"\n'
    return f'      - cnpj: "{cnpj}"\n        sender_name: {sender_name}\n'


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estate", description=__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--servers", type=int, default=10_000, metavar="N")
    parser.add_argument("--changed", type=float, default=0, metavar="PERCENT")
    arguments = parser.parse_args()
    write(arguments.directory, arguments.servers, arguments.changed)


if __name__ == "__main__":
    main()
