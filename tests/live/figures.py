# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the text format of Prometheus."""
import re

from harness import check

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? '
                    r"(-?[0-9.eE+-]+|\+Inf|NaN)")


def parse(path):
    with open(path, encoding="utf-8") as file:
        return parse_text(file.read())


def parse_text(text):
    """Samples by name and labels; each metric is described once, before its samples."""
    samples = {}
    described = set()
    check(text.endswith("\n"), "no newline at the end")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            check(name not in described and kind in ("counter", "gauge", "histogram"), line)
            described.add(name)
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            check(match, "no sample:", line)
            name, labels, value = match.groups()
            check(name in described or re.sub("_(bucket|sum|count)$", "", name) in described, line)
            check((name, labels) not in samples, "twice:", line)
            samples[name, labels] = float(value)
    return samples


def value(samples, name, **labels):
    """The sum of the samples that have these labels."""
    found = [number for (sample, text), number in samples.items() if sample == name and
             all(f'{label}="{wanted}"' in (text or "") for label, wanted in labels.items())]
    check(found, "no", name, labels, samples)
    return sum(found)
