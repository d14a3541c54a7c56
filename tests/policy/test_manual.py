#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""doc/proctor-policy.5 has every key of the parser's table, with an example that is right."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
DOC = HERE.parent.parent / "doc"
sys.path.insert(0, str(HERE))
from test_check import ENV, PROCTOR
from test_schema import dump, run_checks


def sections(text):
    """title: text, of the parts that .Sh and .Ss begin."""
    parts = re.split(r"^\.S[hs] (.*)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def literals(text):
    """The blocks between .Bd -literal and .Ed."""
    return re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", text, flags=re.M | re.S)


def check_keys(text):
    """Yields keys that are not explained, or have no example."""
    keys = text[text.index("\n.Sh KEYS\n"):text.index("\n.Sh FILES\n")]
    parts = sections(keys)
    for title in dump():
        section, _, name = title.rpartition(".")
        part = parts.get(section or name, "")
        if section and not re.search(rf"^\.It Cm {name}$", part, flags=re.M):
            yield f"{title} is not explained"
        if not part:
            yield f"{title} has no part of its own"
        if not any(re.search(rf"(^|[\s{{]){name}:", block) for block in literals(part)):
            yield f"{title} has no example"


def check_examples(name, text):
    """Yields examples that `proctor check` does not take."""
    for block in literals(text):
        if block.lstrip().startswith("$"):
            continue
        policy = block if re.search("^version:", block, flags=re.M) else "version: 1\n" + block
        with tempfile.TemporaryDirectory(prefix="manual-") as folder:
            pathlib.Path(folder, "policy.yaml").write_text(policy, encoding="utf-8")
            run = subprocess.run([PROCTOR, "check", "policy.yaml"], cwd=folder, env=ENV,
                                 capture_output=True, text=True, check=False, timeout=60)
        if run.returncode != 0 or "warning" in run.stderr:
            yield f"{name}: {run.stderr}"


def check_form(page):
    """Yields what groff warns of."""
    run = subprocess.run(["groff", "-mdoc", "-ww", "-Tutf8", "-z", page], capture_output=True,
                         text=True, check=False, timeout=60)
    if run.returncode != 0 or run.stderr:
        yield run.stderr


def main():
    page = DOC / "proctor-policy.5"
    text = page.read_text(encoding="utf-8")
    checks = [("every key is explained", check_keys(text)),
              ("the examples are right", check_examples(page.name, text)),
              ("so is that of proctor(1)",
               check_examples("proctor.1", sections((DOC / "proctor.1").read_text(
                   encoding="utf-8"))["POLICY"]))]
    if shutil.which("groff", path=os.environ.get("PATH", "/usr/bin:/bin")):
        checks += [(f"groff takes {path.name}", check_form(path))
                   for path in sorted(DOC.glob("*.[15]"))]
    else:
        print("skip: groff is not installed")
    passed, failed = run_checks(checks)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
