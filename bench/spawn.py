# SPDX-License-Identifier: LGPL-2.1-or-later
"""New processes and threads: the wall clock of each, and the processor time of all processes together."""

import json
import shutil

EXECS = 300
FORKS = 2000
THREADS = 5000

# Long enough that a start of proctor more or less does not count.
PROCESSOR_EXECS = 600
PROCESSOR_FORKS = 3000
PROCESSOR_THREADS = 10000


def cases(Case, Target, runner, tools, folder):
    """Every library is asked about."""
    program = folder / "out" / "spawn"
    program.parent.mkdir(exist_ok=True)
    shutil.copy(tools.spawn, program)
    traced = folder / "traced.yaml"
    traced.write_text(json.dumps({
        "version": 1, "files": {"read": ["/"]},
        "exec": {"allow": ["/usr", "/lib64", "/bin", str(folder)], "deny": ["/usr/bin/sudo"]},
    }), encoding="utf-8")
    under = [tools.proctor, "run", "-p", traced, "--"]

    def wall(what, count, *more):
        words = [program, what, count, *more]
        return {"native": runner.reported(words), "proctor": runner.reported([*under, *words])}

    def processor(what, count, *more):
        words = [program, what]
        return {"native": runner.processor(words, count, more),
                "walls": runner.processor([tools.walls, *words], count, more),
                "proctor": runner.processor([*under, *words], count, more)}

    both = {"idle": 1.05, "busy": 1.05}
    return [
        Case("vfork and exec of /bin/true, traced", wall("exec", EXECS, "/bin/true"),
             Target("native", {"idle": 2.2})),
        Case("fork without exec", wall("fork", FORKS), Target("native", {"idle": 1.05})),
        Case("thread", wall("thread", THREADS), Target("native", {"idle": 1.05})),
        Case("vfork and exec of /bin/true, traced, processor time",
             processor("exec", PROCESSOR_EXECS, "/bin/true"), Target("native", {"idle": 2.2, "busy": 2.2})),
        Case("fork without exec, processor time", processor("fork", PROCESSOR_FORKS),
             Target("native", both)),
        Case("thread, processor time", processor("thread", PROCESSOR_THREADS), Target("native", both)),
    ]
