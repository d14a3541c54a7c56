#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""policy/policy.schema.json: it has the keys of the parser's own table, and takes what is right.

Checked with the validator of tests/validate_log.py, and with jsonschema as well where that is
installed.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from test_check import contents, parse
from validate_log import Validator

try:
    import jsonschema
except ImportError:
    jsonschema = None

DUMP = os.path.abspath(os.environ.get("DUMP", "tests/policy/dump"))
SCHEMA = json.loads((TOP / "policy/policy.schema.json").read_text(encoding="utf-8"))
# What only the parser sees: globs, and characters that a terminal must not get.
FINE_FOR_SCHEMA = ("bad path pattern",)


def dump(*files):
    """The parser's table, or a list of what stands in files."""
    out = subprocess.run([DUMP, *map(str, files)], check=True, capture_output=True,
                         timeout=60).stdout
    values = [json.loads(line) for line in out.splitlines()]
    return values if files else values[0]


def errors(policy):
    """What the validators say, as texts; both must agree on whether it is valid."""
    found = list(Validator(SCHEMA).errors(policy, where="policy"))
    if jsonschema:
        others = [error.message
                  for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(policy)]
        if bool(others) != bool(found):
            raise AssertionError(f"validators differ on {policy}: {found} and {others}")
    return found


def schema_keys():
    """title: schema of each key."""
    keys = {}
    for name, inner in SCHEMA["properties"].items():
        if inner.get("type") == "object" and "properties" in inner:
            keys.update((f"{name}.{key}", value) for key, value in inner["properties"].items())
        else:
            keys[name] = inner
    return keys


def check_keys():
    """Yields where the schema and the table differ."""
    table, keys = dump(), schema_keys()
    for title in sorted(set(table) ^ set(keys)):
        yield f"{title} is not in the {'schema' if title in table else 'table'}"
    for title in set(table) & set(keys):
        kind, words = table[title]["kind"], table[title]["words"]
        if not keys[title].get("description"):
            yield f"{title} has no description"
        if kind == "choice":
            found = [str(word).lower() for word in keys[title]["enum"]]
            if found != words:
                yield f"{title} may be {words}, not {found}"
        elif kind not in ("version", "extends") and keys[title]["$ref"] != f"#/$defs/{kind}":
            yield f"{title} is of kind {kind}, not {keys[title]['$ref']}"


def tables(suffix, folder):
    """The policies of the tables: (case, what is in it, what is said)."""
    cases = [case for path in sorted(HERE.glob("*" + suffix)) for case in parse(path)[1]]
    files = []
    for number, case in enumerate(cases):
        files.append(pathlib.Path(folder, f"{number}.yaml"))
        files[-1].write_bytes(contents(case.files["policy.yaml"], "/d"))
    return zip(cases, dump(*files))


def check_right(folder):
    """Yields what is right and refused."""
    files = [*sorted((TOP / "policy/profiles").glob("*.yaml")), HERE / "example.yaml",
             TOP / "demo/policy.yaml"]
    named = [(path.name, policy) for path, policy in zip(files, dump(*files))]
    for suffix in (".warn", ".why"):
        named += [(case.name, policy) for case, policy in tables(suffix, folder)]
    for name, policy in named:
        for error in errors(policy):
            yield f"{name}: {error}"


def check_wrong(folder):
    """Yields what is wrong in a way that the schema should see, and is taken."""
    for case, policy in tables(".bad", folder):
        said = case.says[0][1]
        if policy is None or not said.startswith("policy.yaml:"):
            continue
        seen = any(word in said for word in ("unknown key", "expected a list", "expected a mapping",
                                             "expected 'd", "expected 'n", "expected version",
                                             "is missing", "expected a path, found a",
                                             "expected 64", "expected a size"))
        if seen and "duplicate" not in said and not errors(policy):
            yield f"{case.name}: taken, but: {said}"


def run_checks(checks):
    """Prints what each of the (name, problems) finds: the numbers of those passed and failed."""
    counts = [0, 0]
    for name, check in checks:
        problems = list(check)
        print(f"{'FAIL' if problems else 'ok  '} {name}")
        for problem in problems:
            print(f"     {problem}")
        counts[bool(problems)] += 1
    return counts


def main():
    with tempfile.TemporaryDirectory(prefix="schema-") as folder:
        checks = [("the keys", check_keys()), ("what is right", check_right(folder)),
                  ("what is wrong", check_wrong(folder))]
        if jsonschema:
            jsonschema.Draft202012Validator.check_schema(SCHEMA)
        passed, failed = run_checks(checks)
    print("with jsonschema, too" if jsonschema else "jsonschema is not installed")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
