#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""show_log.py AUDIT.jsonl: prints the blocked attempts, and whether all five acts are there."""

import json
import sys

# What each act must have left in the log: (class, op, end of the path or endpoint).
ACTS = {
    "steal the ssh key": ("file", "read", "/.ssh/id_rsa"),
    "read the environment of process 1": ("file", "read", "/proc/1/environ"),
    "connect to an outside address": ("network", "connect", "tcp:203.0.113.7:443"),
    "delete the folder beside": ("file", "delete", "/archive/2024.md"),
    "run a downloaded program": ("exec", "exec", "/tmp/updater"),
}


def main():
    """Exit status 1 when an act is missing."""
    try:
        with open(sys.argv[1], encoding="utf-8") as log:
            records = [json.loads(line) for line in log]
    except OSError as error:
        sys.exit(f"no log: {error}")
    blocked = [record for record in records if record["event"] == "blocked"]
    print(f"{'seq':>4} {'op':8} {'error':7} {'program':8} object")
    for record in blocked:
        what = record.get("path") or record.get("endpoint") or record["syscall"]
        print(f"{record['seq']:4} {record['op']:8} {record['errno']:7} "
              f"{record['comm'][:8]:8} {what}")
    missing = [act for act, (kind, operation, end) in ACTS.items()
               if not any(record["class"] == kind and record["op"] == operation
                          and (record.get("path") or record.get("endpoint") or "").endswith(end)
                          for record in blocked)]
    for act in missing:
        print(f"not in the log: {act}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
