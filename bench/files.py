# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cases of bench.py that are about files: single calls, and programs that live on them."""

import json
import shutil

import workload

COUNT, FAST_COUNT = 2000, 50000


def call_cases(case, target, runner, tools, folder):
    """Single calls, in a folder that may be written, under a policy by which every open is asked."""
    inside = folder / "files"
    inside.mkdir()
    rules = {"version": 1, "exec": {"allow": ["/usr", "/lib*", str(tools.fileloop)]},
             "files": {"read": ["/usr", "/lib*", "/etc", str(folder)], "write": [str(inside)]}}
    asked = folder / "asked-files.yaml"
    asked.write_text(json.dumps(rules), encoding="utf-8")
    rules["files"]["hide"] = ["/nowhere"]
    hiding = folder / "hiding.yaml"
    hiding.write_text(json.dumps(rules), encoding="utf-8")

    def pair(what, policy, count):
        words = [tools.fileloop, what, count]
        return {"native": runner.reported(words, inside),
                "proctor": runner.reported([tools.proctor, "run", "-p", policy, "--", *words], inside)}

    words = [tools.fileloop, "absent", COUNT]
    absent = pair("absent", asked, COUNT)
    absent["floor"] = runner.reported([tools.floor, "-n", *words], inside)

    return [
        case("stat", pair("stat", asked, FAST_COUNT), target("native", {"idle": 1.1})),
        case("stat, names are hidden", pair("stat", hiding, COUNT)),
        case("open of what is not there, trapped", pair("missing", asked, COUNT)),
        case("the same by its full name", absent, target("floor", {"idle": 4.0}, more=True)),
        case("create+close+unlink", pair("create", asked, COUNT), target("native", {"idle": 3.0})),
        case("rename", pair("rename", asked, COUNT)),
        case("open+list+close, a folder of 100", pair("readdir", asked, COUNT)),
    ]


def program_cases(case, target, runner, tools, folder):
    """Whole programs, under `agent`."""
    inside = folder / "programs"
    inside.mkdir()
    tree = workload.folders(inside / "tree")
    workload.small_files(inside / "small")
    archive = inside / "include.tar"
    runner.output(["tar", "-cf", archive, "-C", "/usr", "include"])

    def pair(command, before=lambda: None):
        def measured(words):
            wall = runner.wall(words, inside)

            def measure():
                before()
                return wall()
            return measure
        return {"native": measured(command),
                "proctor": measured([tools.proctor, "run", "-p", "agent", "--", *command])}

    def empty():
        shutil.rmtree(inside / "out", ignore_errors=True)
        (inside / "out").mkdir()

    return [
        case(f"find, {workload.FOLDERS:,} folders", pair(["find", tree, "-name", "x"]),
             target("native", {"idle": 2.2})),
        case(f"grep -r, {workload.GIT_FILES:,} small files", pair(["grep", "-rc", "file", "small"]),
             target("native", {"idle": 2.6})),
        case("tar of /usr/include", pair(["tar", "-cf", "again.tar", "-C", "/usr", "include"])),
        case("tar extraction of it", pair(["tar", "-xf", archive, "-C", "out"], empty),
             target("native", {"idle": 2.0})),
    ]
