#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What proctor costs: everyday work under it, beside the same work without it.

Every variant of every case runs once a round, one right after the other, so that whatever else
the machine does falls on all of them. Nothing here passes or fails: a target that is missed is
printed as such, and the exit status tells only whether everything ran.
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import platform
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, Optional

import files
import spawn
import workload

TRAPPED_OPENS = 3000
NATIVE_OPENS = 50000
PASSED_OPENS = 200000  # long enough to tell a tenth
STARTS = 10

# Share of one CPU that others may use while the machine counts as idle, and how long to wait for
# that in all.
QUIET_SHARE = 0.10
QUIET_WINDOW_S = 0.05
QUIET_PATIENCE_S = 180.0


@dataclasses.dataclass
class Target:
    """An upper bound on a ratio to `against`; `added` compares what each adds to native; `more` bounds
    the microseconds above it instead."""

    against: str
    bound: Dict[str, float]  # situation -> bound
    added: bool = False
    more: bool = False


@dataclasses.dataclass
class Case:
    """One row: variants are functions that return seconds."""

    name: str
    variants: Dict[str, Callable[[], float]]
    target: Optional[Target] = None


class Failure(Exception):
    """A program did not do what was measured."""


class Runner:
    """Runs commands in the scratch folder, in a small fixed environment."""

    def __init__(self, scratch):
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(scratch / "home"),
            "XDG_STATE_HOME": str(scratch / "state"),
            "LANG": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        (scratch / "home").mkdir()
        self.scratch = scratch

    def output(self, command, folder=None):
        """Standard output of a command that must succeed; in a group of its own, as a shell does."""
        command = [str(word) for word in command]
        done = subprocess.run(command, cwd=folder or self.scratch, env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=os.setpgrp,
                              stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        if done.returncode:
            raise Failure(f"{shlex.join(command)}: exit status {done.returncode}\n{done.stderr}")
        return done.stdout

    def wall(self, command, folder=None, times=1):
        """A function that measures the wall time of one run, the mean of `times`."""
        def measure():
            begin = time.perf_counter()
            for _ in range(times):
                self.output(command, folder)
            return (time.perf_counter() - begin) / times
        return measure

    def processor(self, command, count, more=()):
        """A function that measures the processor time of all processes, our own included, for each of
        `count` acts, without that of a run with only one."""
        def spent(number):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.output([*command, number, *more])
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return lambda: max(spent(count) - spent(1), 0) / (count - 1)

    def reported(self, command, folder=None):
        """A function that gives the nanoseconds that the command itself prints, as seconds."""
        return lambda: float(self.output(command, folder)) * 1e-9


def write_policies(folder, openloop):
    """One policy that every open must ask, one that lets all reads pass."""
    words = {"usr": ["/usr", "/lib*", "/etc"], "loop": str(openloop), "folder": str(folder)}
    asked = folder / "asked.yaml"
    asked.write_text(json.dumps({
        "version": 1,
        "files": {"read": words["usr"] + [words["folder"]], "write": [words["folder"] + "/out"]},
        "exec": {"allow": words["usr"] + [words["loop"]]},
    }), encoding="utf-8")
    passed = folder / "passed.yaml"
    passed.write_text(json.dumps({
        "version": 1,
        "files": {"read": ["/"], "write": [words["folder"] + "/out"]},
        "exec": {"allow": ["/"]},
    }), encoding="utf-8")
    return asked, passed


def open_cases(runner, tools, folder):
    """open+close in a loop; the loop times itself, so that no start counts."""
    asked, passed = write_policies(folder, tools.openloop)
    (folder / "out").mkdir()
    target_file = folder / "out" / "file"
    target_file.write_text("x\n", encoding="utf-8")

    def loop(flags, count, threads, before=()):
        return runner.reported([*before, tools.openloop, *flags, target_file, count, threads])

    def under(policy):
        return [tools.proctor, "run", "-p", policy, "--"]

    cases = []
    for threads in (1, 2):
        label = f"{threads} thread" + "s" * (threads > 1)
        for what, flags in (("read", []), ("write", ["-w"])):
            cases.append(Case(
                f"open+close, {what}, trapped, {label}",
                {"native": loop(flags, NATIVE_OPENS, threads),
                 "floor": loop(flags, TRAPPED_OPENS, threads, [tools.floor]),
                 "proctor": loop(flags, TRAPPED_OPENS, threads, under(asked))},
                Target("floor", {"idle": 0.4, "busy": 1.4})))
        cases.append(Case(
            f"open+close, all reads allowed, {label}",
            {"native": loop([], PASSED_OPENS, threads),
             "proctor": loop([], PASSED_OPENS, threads, under(passed))},
            Target("native", {"idle": 1.1, "busy": 1.1})))
    return cases


def work_cases(runner, tools, folder):
    """Whole programs under the profile that agents get."""
    agent = [tools.proctor, "run", "-p", "agent", "--"]

    def pair(command, where=None, times=1):
        return {"native": runner.wall(command, where, times),
                "proctor": runner.wall(agent + command, where, times)}

    start = Case("start of /bin/true", pair(["/bin/true"], times=STARTS))
    if tools.bwrap:
        start.variants["bwrap"] = runner.wall(
            [tools.bwrap, *"--ro-bind / / --dev /dev --proc /proc --unshare-net".split(),
             "/bin/true"], times=STARTS)
        start.target = Target("bwrap", {"idle": 1.5}, added=True)

    sources = workload.c_project(folder / "project")
    repository = workload.git_repository(folder / "repository", runner.output)
    return [
        start,
        Case(f"python3, {len(workload.MODULES)} imports",
             pair([tools.python, "-I", "-c", "import " + ", ".join(workload.MODULES)]),
             Target("native", {"idle": 1.25})),
        Case("make -j2, 24 C files", pair(["make", "-s", "-B", "-j2"], sources),
             Target("native", {"idle": 1.5})),
        Case("git status, 2,000 files", pair(["git", "status", "--porcelain"], repository, 3),
             Target("native", {"idle": 1.4})),
    ]


@contextlib.contextmanager
def busy_processors():
    """Keeps every CPU busy with a process of normal priority."""
    loop = ("import os\nparent = os.getppid()\n"
            "while os.getppid() == parent:\n    for _ in range(100000):\n        pass\n")
    spinners = [subprocess.Popen([sys.executable, "-I", "-S", "-c", loop])
                for _ in os.sched_getaffinity(0)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def busy_seconds():
    """CPU time that the whole machine has spent so far."""
    with open("/proc/stat", encoding="ascii") as stat:
        fields = [int(word) for word in stat.readline().split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")


def wait_until_quiet(deadline):
    """Waits for the rest of the machine to rest; False when it would not by the deadline."""
    while True:
        before = busy_seconds()
        time.sleep(QUIET_WINDOW_S)
        if busy_seconds() - before <= QUIET_SHARE * QUIET_WINDOW_S:
            return True
        if time.monotonic() > deadline:
            return False


def measure(cases, rounds, quiet):
    """{case: {variant: [seconds]}} of interleaved rounds, and how many began on a busy machine."""
    samples = {case.name: {variant: [] for variant in case.variants} for case in cases}
    disturbed = 0
    deadline = time.monotonic() + QUIET_PATIENCE_S
    for number in range(-1, rounds):  # round -1 warms the caches
        for case in cases:
            order = list(case.variants)
            shift = number % len(order)
            for variant in order[shift:] + order[:shift]:
                calm = wait_until_quiet(deadline) if quiet and number >= 0 else True
                seconds = case.variants[variant]()
                if number >= 0:
                    samples[case.name][variant].append(seconds)
                    disturbed += not calm
        progress(f"round {number + 1} of {rounds}")
    return samples, disturbed


def progress(text):
    """One line that overwrites itself, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def figure(value):
    """About three digits."""
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def spread(values):
    """Median and quartiles in the unit of the median: 1.23 us (1.20-1.31)."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    for unit, scale in (("us", 1e-6), ("ms", 1e-3), ("s", 1)):
        if median < 1000 * scale:
            break
    return f"{figure(median / scale)} {unit} ({figure(low / scale)}-{figure(high / scale)})"


def judge(target, medians, situation):
    """The ratio that the target is about, and whether it is met here."""
    if not target:
        return ""
    ratio = medians["proctor"] / medians[target.against]
    if target.added:
        ratio = ((medians["proctor"] - medians["native"]) /
                 (medians[target.against] - medians["native"]))
    text = f"{'adds ' * target.added}{ratio:.2f} x {target.against}"
    if target.more:
        ratio = (medians["proctor"] - medians[target.against]) * 1e6
        text = f"{ratio:.1f} us above {target.against}"
    bound = target.bound.get(situation)
    if bound is None:
        return text
    return f"{text} (<= {bound:g}: {'met' if ratio <= bound else 'MISSED'})"


def table(cases, samples, situation):
    """Rows of text, the header first."""
    rows = [["case", "native", "proctor", "yardstick", "x native", "target"]]
    for case in cases:
        values = samples[case.name]
        medians = {variant: statistics.median(seconds) for variant, seconds in values.items()}
        beside = [f"{variant} {spread(seconds)}" for variant, seconds in values.items()
                  if variant not in ("native", "proctor")]
        verdict = judge(case.target, medians, situation)
        rows.append([case.name, spread(values["native"]), spread(values["proctor"]),
                     ", ".join(beside), f"{medians['proctor'] / medians['native']:.2f}", verdict])
    return rows


def aligned(rows):
    """The table for a terminal."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                     for row in rows)


def markdown(rows):
    """The table for RESULTS.md."""
    lines = [rows[0], ["---"] * len(rows[0])] + rows[1:]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cpu_model():
    """As /proc/cpuinfo names it."""
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def heading(arguments, tools):
    """Where and how this was measured."""
    version = subprocess.run([tools.proctor, "--version"], stdout=subprocess.PIPE, text=True,
                             check=False).stdout.strip()
    return [
        f"{version or 'proctor'}, {datetime.datetime.now().astimezone():%Y-%m-%d %H:%M %z}",
        f"Linux {platform.release()}, {len(os.sched_getaffinity(0))} CPUs, {cpu_model()}",
        f"{arguments.rounds} interleaved rounds; median (quartiles)",
        tools.bwrap or "bwrap is not installed: the start has nothing to stand beside",
    ]


SITUATIONS = {"idle": "Idle machine", "busy": "Every CPU kept busy"}

EXPLANATION = """\
floor: the least program that receives openat(2), copies the path, opens, injects the descriptor
with the reply and closes (bench/floor.c). walls: a seccomp filter that asks nobody and a Landlock
domain that refuses nothing (bench/walls.c). trapped: a policy under which every open has to ask.
bwrap: `bwrap --ro-bind / / --dev /dev --proc /proc --unshare-net`. Programs run under `agent`."""


def write_results(path, head, parts):
    """RESULTS.md."""
    text = ["# What proctor costs", "", "    make bench BENCH_FLAGS='--results FILE'", ""]
    text += [f"- {line}" for line in head] + ["", EXPLANATION, ""]
    for situation, rows, note in parts:
        text += [f"## {SITUATIONS[situation]}", "", markdown(rows), ""] + [note, ""] * bool(note)
    Path(path).write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Measures what proctor costs.")
    parser.add_argument("--proctor", default="./proctor", help="the program (%(default)s)")
    parser.add_argument("--programs", default="bench",
                        help="folder of openloop and floor (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="at least 2 (%(default)s)")
    parser.add_argument("--situation", choices=[*SITUATIONS, "both"], default="both")
    parser.add_argument("--case", default="", metavar="TEXT", help="only cases whose name has TEXT")
    parser.add_argument("--no-wait", action="store_true",
                        help="do not wait for other work on the machine to rest")
    parser.add_argument("--results", metavar="FILE", help="also write a Markdown report")
    arguments = parser.parse_args()
    if arguments.rounds < 2:
        parser.error("--rounds must be at least 2")
    return arguments


def find_tools(arguments):
    """Absolute paths of all programs that are run."""
    programs = Path(arguments.programs).resolve()
    system_python = "/usr/bin/python3"
    tools = argparse.Namespace(
        proctor=str(Path(arguments.proctor).resolve()), openloop=programs / "openloop",
        floor=programs / "floor", spawn=programs / "spawn", walls=programs / "walls",
        fileloop=programs / "fileloop", bwrap=shutil.which("bwrap"),
        python=system_python if os.path.exists(system_python) else sys.executable)
    for program in (tools.proctor, tools.openloop, tools.floor, tools.spawn, tools.walls,
                    tools.fileloop):
        if not os.access(program, os.X_OK):
            raise Failure(f"{program} is missing: run this through `make bench`")
    for name in ("make", "cc", "git"):
        if not shutil.which(name):
            raise Failure(f"{name} is not installed")
    return tools


def run(arguments, tools, scratch):
    """Measures, prints, writes."""
    runner = Runner(scratch)
    cases = [case for case in work_cases(runner, tools, scratch)
             + open_cases(runner, tools, scratch)
             + spawn.cases(Case, Target, runner, tools, scratch)
             + files.call_cases(Case, Target, runner, tools, scratch)
             + files.program_cases(Case, Target, runner, tools, scratch) if arguments.case in case.name]
    if not cases:
        raise Failure(f"no case has '{arguments.case}' in its name")
    head = heading(arguments, tools)
    print("\n".join(head), EXPLANATION, sep="\n\n")
    parts = []
    for situation, title in SITUATIONS.items():
        if arguments.situation not in (situation, "both"):
            continue
        idle = situation == "idle"
        with contextlib.nullcontext() if idle else busy_processors():
            samples, disturbed = measure(cases, arguments.rounds, idle and not arguments.no_wait)
        progress("")
        rows = table(cases, samples, situation)
        note = disturbed and f"{disturbed} measurements began while other work was running."
        print(f"\n{title}\n", aligned(rows), sep="\n")
        if note:
            print(f"\n{note}")
        parts.append((situation, rows, note))
    if arguments.results:
        write_results(arguments.results, head, parts)


def main():
    """Exit status 1 when something could not be run."""
    arguments = parse_arguments()
    try:
        tools = find_tools(arguments)
        with tempfile.TemporaryDirectory(prefix="proctor-bench.") as scratch:
            run(arguments, tools, Path(scratch).resolve())
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
