#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks each line of audit logs against audit/schema.json, and the hash chain.

usage: validate_log.py [--schema FILE] LOG...

Needs only the standard library: it knows the part of JSON Schema 2020-12 that
the schema uses, and refuses a schema that uses more. The chain is worked out
here anew, from the schema's description, as a second opinion on `proctor log
--verify`. Exits 1 and names LOG:LINE for whatever does not hold.
"""
import argparse
import hashlib
import json
import pathlib
import re
import sys

NOTES = {"$schema", "$id", "title", "description", "$defs", "examples", "default"}
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def same(left, right):
    return type(left) is type(right) and left == right


class Validator:
    """Yields what is wrong with a value as texts; none when it is valid."""

    def __init__(self, schema):
        self.root = schema

    def errors(self, value, schema=None, where="record"):
        schema = self.root if schema is None else schema
        if schema is False:
            yield f"{where} must not be there"
        if isinstance(schema, bool):
            return
        for keyword in schema:
            if keyword in NOTES or keyword in ("then", "else"):
                continue
            check = getattr(self, "check_" + keyword.lstrip("$"), None)
            if check is None:
                raise NotImplementedError(f"schema keyword {keyword}")
            yield from check(value, schema, where)

    def check_ref(self, value, schema, where):
        target = self.root
        for part in schema["$ref"][len("#/"):].split("/"):
            target = target[part]
        yield from self.errors(value, target, where)

    def check_type(self, value, schema, where):
        names = schema["type"]
        names = [names] if isinstance(names, str) else names
        if not any(is_type(value, name) for name in names):
            yield f"{where} is not of type {' or '.join(names)}"

    def check_enum(self, value, schema, where):
        if not any(same(value, choice) for choice in schema["enum"]):
            yield f"{where} is {value!r}, not one of {schema['enum']}"

    def check_const(self, value, schema, where):
        if not same(value, schema["const"]):
            yield f"{where} is {value!r}, not {schema['const']!r}"

    def check_pattern(self, value, schema, where):
        if isinstance(value, str) and not re.search(schema["pattern"], value):
            yield f"{where} is {value!r}, which does not match {schema['pattern']}"

    def check_minLength(self, value, schema, where):
        if isinstance(value, str) and len(value) < schema["minLength"]:
            yield f"{where} is too short"

    def check_minimum(self, value, schema, where):
        if is_type(value, "number") and value < schema["minimum"]:
            yield f"{where} is {value}, below {schema['minimum']}"

    def check_maximum(self, value, schema, where):
        if is_type(value, "number") and value > schema["maximum"]:
            yield f"{where} is {value}, above {schema['maximum']}"

    def check_items(self, value, schema, where):
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.errors(item, schema["items"], f"{where}[{index}]")

    def check_required(self, value, schema, where):
        if isinstance(value, dict):
            for name in schema["required"]:
                if name not in value:
                    yield f"{where}.{name} is missing"

    def check_properties(self, value, schema, where):
        if isinstance(value, dict):
            for name, inner in schema["properties"].items():
                if name in value:
                    yield from self.errors(value[name], inner, f"{where}.{name}")

    def check_additionalProperties(self, value, schema, where):
        if isinstance(value, dict):
            for name in value:
                if name not in schema.get("properties", {}):
                    yield from self.errors(
                        value[name], schema["additionalProperties"], f"{where}.{name}"
                    )

    def check_allOf(self, value, schema, where):
        for inner in schema["allOf"]:
            yield from self.errors(value, inner, where)

    def check_anyOf(self, value, schema, where):
        if all(any(self.errors(value, inner, where)) for inner in schema["anyOf"]):
            yield f"{where} is none of what it may be"

    def check_not(self, value, schema, where):
        if not any(self.errors(value, schema["not"], where)):
            yield f"{where} is what it may not be"

    def check_propertyNames(self, value, schema, where):
        for name in value if isinstance(value, dict) else ():
            yield from self.errors(name, schema["propertyNames"], f"{where}: {name}")

    def check_if(self, value, schema, where):
        holds = not any(self.errors(value, schema["if"], where))
        yield from self.errors(value, schema.get("then" if holds else "else", True), where)


def no_duplicates(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a field stands twice")
    return dict(pairs)


class Chain:
    """Follows hash, prev and seq from line to line."""

    def __init__(self):
        self.last = "0" * 64
        self.session = None
        self.seq = 0

    def errors(self, line, record):
        covered, mark, _ = line.rpartition(b',"hash":"')
        if not mark or hashlib.sha256(covered).hexdigest() != record.get("hash"):
            yield "hash is not that of the line"
        if record.get("prev") != self.last:
            yield "prev is not the hash of the line before"
        if record.get("event") == "start":
            self.session, self.seq = record.get("session"), 0
        if record.get("session") != self.session:
            yield "session changes without a start"
        if record.get("seq") != self.seq + 1:
            yield f"seq is {record.get('seq')}, not {self.seq + 1}"
        self.last, self.seq = record.get("hash"), record.get("seq")


def line_errors(line, validator, chain):
    if not line.endswith(b"\n"):
        yield "is torn"
        return
    try:
        record = json.loads(line.decode("utf-8"), object_pairs_hook=no_duplicates)
    except ValueError as error:
        yield f"is not JSON: {error}"
        return
    yield from validator.errors(record)
    if isinstance(record, dict):
        order = [name for name in validator.root["properties"] if name in record]
        if list(record) != order:
            yield f"fields are not in the schema's order: {list(record)}"
        yield from chain.errors(line, record)


def record_errors(path, validator):
    """What is wrong with the whole lines of a log, each by itself: it may be part of a row, or cut."""
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.endswith(b"\n"):
                yield from (f"{number}: {error}" for error in validator.errors(json.loads(line)))


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "audit" / "schema.json"
    parser = argparse.ArgumentParser(description="check audit logs against the schema")
    parser.add_argument("--schema", type=pathlib.Path, default=default)
    parser.add_argument("logs", metavar="LOG", nargs="+", type=pathlib.Path)
    args = parser.parse_args()

    validator = Validator(json.loads(args.schema.read_text(encoding="utf-8")))
    faults = 0
    for log in args.logs:
        chain = Chain()
        with log.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                for error in line_errors(line, validator, chain):
                    faults += 1
                    # The message may hold lone surrogates.
                    text = error.encode("ascii", "backslashreplace").decode()
                    print(f"{log}:{number}: {text:.500}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
