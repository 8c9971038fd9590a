"""`python -S warm_call.py ADDRESS WORD...`: `python WORD...` by the server of warm_python.py.

The process has this one's environment, folder and open files, and its exit status.
"""

import json
import os
import socket
import sys


def call(address: str, *words: str) -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        request = json.dumps({"words": words, "cwd": os.getcwd(), "environment": dict(os.environ)}).encode()
        socket.send_fds(connection, [b"%9d" % len(request)], [0, 1, 2])
        connection.sendall(request)
        return int(connection.recv(4) or 1)


if __name__ == "__main__":
    sys.exit(call(*sys.argv[1:]))
