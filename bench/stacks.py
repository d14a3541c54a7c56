#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many stacks of blocked attempts are whole: C, C++, Python and Node programs go through functions
in an order that a seed chooses, attempt what is denied, and say by themselves which way they came.

usage: stacks.py --proctor PROCTOR [--attempts N] [--seed N]

Exits 1 where fewer than 95% agree.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

TARGET = 0.95

# Each function calls the next one that the way names, with frames of several kinds.
NATIVE = r"""
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#define FAR __attribute__((noinline))
static const char *path;
static volatile int sink;
extern "C" {
FAR int way_a(const char *rest); FAR int way_b(const char *rest); FAR int way_c(const char *rest);
FAR int go(const char *rest)
{
	int result = *rest == 0 ? open(path, O_RDONLY) : *rest == 'a' ? way_a(rest + 1)
		     : *rest == 'b' ? way_b(rest + 1) : way_c(rest + 1);
	sink = result;
	return result;
}
FAR int way_a(const char *rest) { int result = go(rest); sink = result; return result; }
FAR int way_b(const char *rest)
{
	char *copy = (char *)__builtin_alloca(strlen(rest) + 32);
	strcpy(copy, rest);
	int result = go(copy);
	sink = result;
	return result;
}
FAR int way_c(const char *rest)
{
	char large[3000];
	memset(large, *rest, sizeof(large));
	int result = go(rest);
	sink = large[7];
	return result;
}
}
int main(int argc, char **argv)
{
	path = argv[1];
	for (int i = 2; i < argc; i++)
		go(argv[i]);
	return 0;
}
"""

PYTHON = """
import json, sys, traceback
path = sys.argv[1]
def go(rest):
    if rest:
        return {"a": way_a, "b": Ways().way_b, "c": way_c}[rest[0]](rest[1:])
    try:
        open((own := traceback.extract_stack()) and path)
    except OSError:
        pass
    return [[frame.name, frame.lineno] for frame in own][::-1]
def way_a(rest): return go(rest)
class Ways:
    def way_b(self, rest):
        return (lambda: go(
            rest))()
def way_c(rest): return next(go(rest) for _ in (1,))
for way in sys.argv[2:]:
    print(json.dumps(go(way)))
"""

NODE = """
const fs = require('fs');
const path = process.argv[2];
function go(rest) {
  if (rest) return {a: way_a, b: (r) => new Ways().way_b(r), c: way_c}[rest[0]](rest.slice(1));
  const own = new Error().stack.split('\\n').slice(1).filter(l => l.includes(__filename));
  try { fs.openSync(path); } catch (error) { }
  return own.map(l => (/at (?:new )?(?:[\\w<>]+\\.)?([\\w<>]+)(?: \\[as \\w+\\])? \\(/.exec(l) || [0, ''])[1]);
}
function way_a(rest) { return go(rest); }
class Ways { way_b(rest) { return go(rest); } }
function way_c(rest) { return [rest].map(r => go(r))[0]; }
Error.stackTraceLimit = 100;
for (const way of process.argv.slice(3)) console.log(JSON.stringify(go(way)));
"""

POLICY = "version: 1\nfiles: {{read: [/], deny: [{0}/secret], write: [/dev/null]," \
         " create: ['/tmp/perf-*.map'], modify: ['/tmp/perf-*.map']}}\nexec: {{allow: [/]}}\n"


def ways(seed, count):
    """Texts of a, b and c, up to 12 long: a small generator, the same everywhere."""
    found = []
    for _ in range(count):
        text = ""
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        number = seed >> 20
        for _ in range(1 + number % 12):
            number //= 12
            text += "abc"[number % 3]
        found.append(text)
    return found


def as_c(source):
    """The same without what only C++ has."""
    source = source.replace('extern "C" {\n', "").replace("}\n}\nint main", "}\nint main")
    for header in ("errno", "stdio", "stdlib", "string"):
        source = source.replace(f"<c{header}>", f"<{header}.h>")
    return source


def native_chain(way):
    """Innermost first, as gdb says it."""
    return [name for letter in way[::-1] for name in ("go", "way_" + letter)] + ["go"]


def of_native(record):
    names = [frame.get("symbol", "").split(".")[0] for frame in record.get("stack", [])]
    return [name for name in names if name == "go" or name.startswith("way_")]


def of_python(record, script):
    return [[frame["function"].split(".")[-1], frame.get("line")]
            for frame in record.get("script", []) if frame["file"] == script]


def of_node(record, script):
    """Names of functions; those without one are the module, or are called as they were assigned."""
    return [frame["function"].split(".")[-1] for frame in record.get("script", [])
            if frame["file"] == script and frame["function"] != "(anonymous)"]


def measure(options, folder, name, command, expected, taken, count):
    log = f"{folder}/{name}.jsonl"
    found = ways(options.seed, count)
    out = subprocess.run([options.proctor, "run", "-q", "-p", folder + "/policy.yaml", "-o", log, "--",
                          *command, folder + "/secret", *found], check=False, text=True,
                         stdout=subprocess.PIPE).stdout
    own = expected(found, out)
    with open(log, encoding="utf-8") as file:
        records = [record for record in map(json.loads, file)
                   if record["event"] == "blocked" and record.get("path") == folder + "/secret"]
    whole = [taken(record) == answer for record, answer in zip(records, own)]
    if options.verbose:
        for record, answer in zip(records, own):
            if taken(record) != answer:
                print(name, "own", answer, "found", taken(record))
                break
    share = sum(whole) / count if len(records) == count else 0
    print(f"{name:8} {len(records):5} attempts, {100 * share:5.1f}% whole")
    for left in {record["pid"] for record in records}:
        if os.path.exists(f"/tmp/perf-{left}.map"):
            os.unlink(f"/tmp/perf-{left}.map")
    return share >= TARGET


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--proctor", required=True)
    parser.add_argument("--attempts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    good = True
    count = options.attempts // 4
    folder = os.path.realpath(tempfile.mkdtemp(prefix="stacks-"))
    try:
        for name, text in (("secret", "s"), ("way.cc", NATIVE), ("way.py", PYTHON), ("way.js", NODE),
                           ("policy.yaml", POLICY.format(folder))):
            with open(f"{folder}/{name}", "w", encoding="ascii") as file:
                file.write(text)

        def chains(found, _):
            return [native_chain(way) for way in found]

        def lines(_, out):
            # Node says more: of a log that it may not write.
            return [json.loads(line) for line in out.splitlines() if line.startswith("[")]
        for name, compiler, language in (("C", "gcc", "c"), ("C++", "g++", "c++")):
            if not shutil.which(compiler):
                print(f"{name:8} no {compiler} here")
                continue
            source = NATIVE if language == "c++" else as_c(NATIVE)
            program = f"{folder}/way-{language}"
            subprocess.run([compiler, "-O2", "-fno-optimize-sibling-calls", "-w", "-o", program, "-x",
                            language, "-"], input=source, text=True, check=True)
            good &= measure(options, folder, name, [program], chains, of_native, count)
        script = folder + "/way.py"
        good &= measure(options, folder, "Python", ["/usr/bin/python3", script], lines,
                        lambda record: of_python(record, script), count)
        if shutil.which("node"):
            script = folder + "/way.js"
            good &= measure(options, folder, "Node", ["node", "--perf-basic-prof", script],
                            lambda found, out: [[name for name in names if name not in ("", "<anonymous>")]
                                                for names in lines(found, out)],
                            lambda record: of_node(record, script), count)
        else:
            print("Node     not here")
    finally:
        shutil.rmtree(folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
