"""A ``suite`` whose commands fork from one process that has imported torch, so that each costs tenths of a second."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import trees

# Forks a child for each command that a client sends with its folder, environment and standard streams.
SERVER = """
import gc, json, os, signal, socket, sys, traceback
import joblib, numpy, safetensors.torch, sklearn, torch, torchvision, typer, rich.console, yaml, tabulate, scipy.stats

os.cpu_count = lambda: 1  # no pool of further processes, which would import torch again
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
gc.freeze()  # a collection in a child would copy every page
print("ready", flush=True)
parent = os.getppid()
listener.settimeout(2)
while os.getppid() == parent:
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        continue
    if os.fork():
        connection.close()
        continue
    listener.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    request = json.loads(request)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.path.insert(0, request["environment"]["PYTHONPATH"])
    sys.argv = ["suite", *request["arguments"]]
    code = 1
    try:
        from suite.cli import main
        main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        connection.sendall(bytes([code]))
        os._exit(0)
"""

CLIENT = """#!{python} -S
import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect({address!r})
request = json.dumps({{"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}})
socket.send_fds(connection, [request.encode()], [0, 1, 2])
sys.exit(connection.recv(1)[0])
"""


def run(tools: Path, tree: Path, *arguments: str, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
    """``trees.suite`` by the command in ``tools``."""
    call = [str(tools / "suite"), *arguments]
    environment = trees.environment(tree, **more)
    done = subprocess.run(call, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"exit {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def tools(tmp_path_factory) -> Iterator[Path]:
    """A folder with a ``suite`` whose commands fork from one warm process."""
    folder = tmp_path_factory.mktemp("tools")
    address = str(folder / "socket")
    client = folder / "suite"
    client.write_text(CLIENT.format(python=sys.executable, address=address))
    client.chmod(0o755)
    with subprocess.Popen([sys.executable, "-c", SERVER, address], stdout=subprocess.PIPE, cwd=folder) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield folder
        server.kill()
