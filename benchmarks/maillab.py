"""A real Postfix and a real Dovecot on loopback, in a folder of their own.

Postfix asks Dovecot who may log in, delivers into Dovecot's folders, and can send nothing away.
Both want root to be started, and give it up themselves.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import trustme

POSTFIX, DOVECOT = "/usr/sbin/postfix", "/usr/sbin/dovecot"
DOMAIN = "partner.test"
HOST = f"mail.{DOMAIN}"
PASSWORDS = {"nfe": "nfe secret 1", "xml": "xml-secret-2", "alias": "alias-secret-3"}
CONNECTIONS = 3
"""How many sessions Dovecot allows each mailbox."""
_NOBODY = 65534
_PATIENCE = 20.0

_DOVECOT = """\
base_dir = {lab}/run
state_dir = {lab}/run
log_path = {lab}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
first_valid_uid = 1
ssl = required
ssl_cert = <{lab}/cert.pem
ssl_key = <{lab}/key.pem
auth_mechanisms = plain login
auth_failure_delay = 0 secs
mail_location = maildir:{lab}/mail/%d/%n
mail_max_userip_connections = {connections}
passdb {{
  driver = passwd-file
  args = username_format=%u {lab}/passwd
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={lab}/mail/%d/%n
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  process_min_avail = 2
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {sasl}
  }}
}}
"""
_MAIN = """\
compatibility_level = 3.6
queue_directory = {lab}/spool
data_directory = {lab}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {lab}/postfix.log
maillog_file_prefixes = {lab}
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = {host}
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {lab}/mail
virtual_mailbox_maps = texthash:{lab}/postfix/vmailbox
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
default_transport = error:5.7.1 external delivery disabled in tests
relay_transport = error:5.7.1 external delivery disabled in tests
smtpd_tls_chain_files = {lab}/chain.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{sasl}
smtpd_sasl_security_options = noanonymous
smtpd_recipient_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sender_login_maps = texthash:{lab}/postfix/sender_login
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
disable_dns_lookups = yes
smtputf8_enable = no
message_size_limit = 200000
"""
_LISTENING = """\
{address}:{smtp} inet n - n - - smtpd
{address}:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
{address}:{submissions} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
"""
_MASTER = """\
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
proxymap  unix  - - n - - proxymap
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""
_PORTS = ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "sasl")


class Lab(NamedTuple):
    """A running lab: its folder, which also has the authority as `ca.pem`, and its ports."""

    folder: Path
    ports: dict[str, int]


def is_possible() -> bool:
    """Whether both programs are installed, and this is root."""
    return os.getuid() == 0 and Path(POSTFIX).exists() and Path(DOVECOT).exists()


@contextmanager
def running(
    *names: str, passwords: Mapping[str, str] = PASSWORDS, addresses: str = "127.0.0.1"
) -> Iterator[Lab]:
    """Both servers, until the end of the block, with a certificate for `names`.

    `passwords` has the mailboxes of `DOMAIN`, by the part before the @; Postfix listens at
    `addresses`, and Dovecot at 127.0.0.1.
    """
    # Not below pytest's own folder, which nobody else may enter, and Dovecot is nobody.
    with TemporaryDirectory(prefix="reconciler-lab-") as name:
        lab = Lab(Path(name), dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True)))
        _write(lab, names, passwords, addresses)
        try:
            _start(lab, addresses)
            yield lab
        finally:
            _stop(lab.folder)


def _free_ports(count: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in taken]
    finally:
        for one in taken:
            one.close()


def _write(lab: Lab, names: tuple[str, ...], passwords: Mapping[str, str], addresses: str) -> None:
    folder = lab.folder
    folder.chmod(0o755)
    for name in ("run", "postfix", "spool", "data", "mail", f"mail/{DOMAIN}"):
        (folder / name).mkdir()
    for name in ("mail", f"mail/{DOMAIN}", "run"):
        os.chown(folder / name, _NOBODY, _NOBODY)
    shutil.chown(folder / "data", "postfix")
    (folder / "data").chmod(0o700)
    authority = trustme.CA()
    issued = authority.issue_cert(*names)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(str(folder / "cert.pem"), append=number > 0)
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "chain.pem"))
    (folder / "dovecot.log").touch()
    for name in ("key.pem", "dovecot.log"):
        os.chown(folder / name, _NOBODY, _NOBODY)
    values = {
        "lab": str(folder),
        "host": HOST,
        "domain": DOMAIN,
        "connections": CONNECTIONS,
        **lab.ports,
    }
    (folder / "passwd").write_text(
        "".join(f"{name}@{DOMAIN}:{{PLAIN}}{word}\n" for name, word in passwords.items())
    )
    (folder / "dovecot.conf").write_text(_DOVECOT.format_map(values))
    (folder / "postfix" / "main.cf").write_text(_MAIN.format_map(values))
    listening = "".join(
        _LISTENING.format_map(values | {"address": address}) for address in addresses.split()
    )
    (folder / "postfix" / "master.cf").write_text(listening + _MASTER)
    boxes = "".join(f"{name}@{DOMAIN} {DOMAIN}/{name}/\n" for name in passwords)
    owners = "".join(f"{name}@{DOMAIN} {name}@{DOMAIN}\n" for name in passwords)
    (folder / "postfix" / "vmailbox").write_text(boxes)
    (folder / "postfix" / "sender_login").write_text(owners)


def _start(lab: Lab, addresses: str) -> None:
    folder = lab.folder
    without_root = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
    _run(*without_root, DOVECOT, "-c", str(folder / "dovecot.conf"), log=folder)
    _run(POSTFIX, "-c", str(folder / "postfix"), "start", log=folder)
    until = time.monotonic() + _PATIENCE
    for name, port in lab.ports.items():
        where = addresses.split(maxsplit=1)[0] if "sub" in name or name == "smtp" else "127.0.0.1"
        while not _listens(where, port):
            if time.monotonic() > until:
                raise TimeoutError(f"the lab does not start:\n{_logs(folder)}")
            time.sleep(0.05)


def _run(*command: str, log: Path) -> None:
    # Not a pipe, which the daemons would inherit and keep open.
    with (log / "start.log").open("ab") as said:
        done = subprocess.run(command, stdout=said, stderr=said, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[-1]} ended with {done.returncode}:\n{_logs(log)}")


def _listens(where: str, port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex((where, port)) == 0


def _logs(folder: Path) -> str:
    return "\n".join(file.read_text()[-4_000:] for file in folder.glob("*.log"))


def _stop(folder: Path) -> None:
    subprocess.run(
        (POSTFIX, "-c", str(folder / "postfix"), "stop"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    master = folder / "run" / "master.pid"
    if master.exists():
        pid = int(master.read_text())
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + _PATIENCE
        while master.exists() and time.monotonic() < until:
            time.sleep(0.05)
