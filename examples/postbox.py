"""For the demo: a mail server on this machine that takes every message, and lets nobody read.

It prints the ports of both, SMTP and IMAP, in one line; then it stays until it is killed.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

HERE = "127.0.0.1"
SMTP = {"EHLO": "250 postbox", "DATA": "354 End with a dot", "QUIT": "221 Bye"}
IMAP = {"CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n{tag} OK"}
REFUSED = "{tag} NO [AUTHENTICATIONFAILED] Authentication failed."


async def take(reader: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"220 postbox\r\n")
    while line := (await reader.readline()).decode().strip():
        word = line.split()[0].upper()
        writer.write(SMTP.get(word, "250 Ok").encode() + b"\r\n")
        if word == "DATA":
            while (await reader.readline()).strip() != b".":
                pass
            writer.write(b"250 Taken\r\n")
    writer.close()


async def refuse(reader: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"* OK postbox\r\n")
    while line := (await reader.readline()).decode().split():
        answer = IMAP.get(line[1].upper(), REFUSED) if len(line) > 1 else "* BAD"
        writer.write(answer.format(tag=line[0]).encode() + b"\r\n")
    writer.close()


async def main() -> None:
    servers = [await asyncio.start_server(talk, HERE, 0) for talk in (take, refuse)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
