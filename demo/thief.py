#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in, on the loopback, for the outside address while the tool runs unprotected.

thief.py PORT-FILE LOOT-FILE: writes its port into one file, what it is sent into the other.
"""

import os
import socket
import sys
from pathlib import Path

port_file, loot_file = map(Path, sys.argv[1:])
with socket.create_server(("127.0.0.1", 0)) as server:
    server.settimeout(30)
    ready = port_file.with_suffix(".new")
    ready.write_text(str(server.getsockname()[1]))
    os.replace(ready, port_file)
    with server.accept()[0] as caller:
        loot_file.write_bytes(caller.recv(4096))
