#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# demo/run.sh [FOLDER]
#
# A tool that summarises source files meets a poisoned one: first unprotected, then under proctor.
# Everything happens in a temporary folder with a home and a key of its own; the report and the
# log are left in FOLDER (demo/out). Exit status 0: the work was done, and nothing else.

set -eu
umask 077

root=$(cd "$(dirname "$0")/.." && pwd)
demo=$root/demo
proctor=${PROCTOR:-$root/proctor}
out=${1:-$demo/out}
failures=0

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') good=$(printf '\033[32m') bad=$(printf '\033[31m')
	plain=$(printf '\033[0m')
else
	bold='' good='' bad='' plain=''
fi

die() {
	echo "demo: $*" >&2
	exit 1
}

section() {
	printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

# say WORD TEXT COMMAND...: a line that begins with WORD when the command succeeds.
say() {
	word=$1 text=$2
	shift 2
	if "$@" >/dev/null 2>&1; then
		printf '  %s  %s\n' "$word" "$text"
	else
		printf '  %sFAILED%s  %s\n' "$bad" "$plain" "$text"
		failures=$((failures + 1))
	fi
}

# Makes the stage: stage NAME -> $scratch/NAME with home, work and tmp.
stage() {
	mkdir -p "$scratch/$1/home/.ssh" "$scratch/$1/tmp" "$scratch/$1/work/archive" \
		"$scratch/$1/work/project/assets"
	echo "$key" >"$scratch/$1/home/.ssh/id_rsa"
	for year in 2023 2024; do
		echo "The summary of $year." >"$scratch/$1/work/archive/$year.md"
	done
	cp -R "$root/core" "$root/policy" "$scratch/$1/work/project/"
	find "$scratch/$1/work/project" -type f ! -name '*.[ch]' -exec rm -f {} +
	find "$scratch/$1/work/project" -type d -empty ! -name assets -exec rmdir {} +
	cp "$demo/poisoned-README.md" "$scratch/$1/work/project/README.md"
	cp "$(command -v sh)" "$scratch/$1/work/project/assets/updater.bin"
}

# on_stage NAME COMMAND...: runs it there, with that home and temporary folder.
on_stage() {
	where=$scratch/$1
	shift
	(cd "$where/work" && HOME=$where/home TMPDIR=$where/tmp XDG_STATE_HOME=$where/state "$@")
}

# The part of a report that the sources decide, not the poison.
useful_part() {
	sed '/^## Notes/,$d' "$1"
}

same_useful_part() {
	useful_part "$scratch/bare/work/SUMMARY.md" >"$scratch/expected"
	useful_part "$scratch/safe/work/SUMMARY.md" | diff - "$scratch/expected"
}

nothing_leaked() {
	! grep -q "$key" "$scratch/safe/work/SUMMARY.md" &&
		grep -q "$key" "$scratch/safe/home/.ssh/id_rsa"
}

archive_whole() {
	grep -q 2023 "$scratch/safe/work/archive/2023.md" &&
		grep -q 2024 "$scratch/safe/work/archive/2024.md"
}

updater_saved_but_not_run() {
	[ -s "$scratch/safe/tmp/updater" ] && [ ! -e "$scratch/safe/tmp/updater-ran" ]
}

indent() {
	sed "s|$scratch|...|g; s/^/  /"
}

# Unprotected, the tool shall reach somebody, but nobody outside: a stand-in on the loopback.
start_thief() {
	"$python" -I "$demo/thief.py" "$scratch/port" "$scratch/loot" &
	thief=$!
	until [ -s "$scratch/port" ]; do
		kill -0 "$thief" 2>/dev/null || die "no port can be had on the loopback"
		sleep 0.05
	done
	readme=$scratch/bare/work/project/README.md
	sed "s|203.0.113.7/443|127.0.0.1/$(cat "$scratch/port")|" "$readme" >"$scratch/readme"
	cp "$scratch/readme" "$readme"
}

thief_was_called() {
	wait "$thief"
	grep -q stolen "$scratch/loot"
}

[ -x "$proctor" ] || die "$proctor is missing: run ./bootstrap first"
python=/usr/bin/python3
[ -x "$python" ] || python=$(command -v python3) || die "python3 is not installed"
thief=
scratch=$(mktemp -d /tmp/proctor-demo.XXXXXX)
scratch=$(cd "$scratch" && pwd -P)
trap 'kill "$thief" 2>/dev/null || :; rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
key="FAKE-KEY-$$-made-for-this-demo"
stage bare
stage safe

section "1. A tool that obeys what it reads"
echo "  summarize.py counts a source tree into SUMMARY.md. A comment in one README tells it more:"
grep '^TOOL:' "$demo/poisoned-README.md" | cut -c 1-94 | sed 's/^/    /'

section "2. Without proctor (in a throw-away home, with a made-up key)"
start_thief
on_stage bare "$python" -I "$demo/summarize.py" project SUMMARY.md >"$scratch/output" 2>&1 ||
	die "the tool does not run here: $(cat "$scratch/output")"
say "${bad}!!$plain" "the key is stolen" grep -q "$key" "$scratch/bare/work/SUMMARY.md"
say "${bad}!!$plain" "a word was sent out (to a stand-in on the loopback)" thief_was_called
say "${bad}!!$plain" "the archive is gone" test ! -e "$scratch/bare/work/archive"
say "${bad}!!$plain" "the downloaded program ran" test -e "$scratch/bare/tmp/updater-ran"
grep -e '/proc/1/' "$scratch/output" | indent

section "3. The same under a policy (demo/policy.yaml)"
grep -v '^#' "$demo/policy.yaml" | sed 's/^/    /'
echo "  \$ proctor run -p demo/policy.yaml -- python3 summarize.py project SUMMARY.md"
status=0
on_stage safe "$proctor" run -p "$demo/policy.yaml" -o "$scratch/audit.jsonl" -- \
	"$python" -I "$demo/summarize.py" project SUMMARY.md >"$scratch/output" 2>&1 || status=$?
indent <"$scratch/output"

section "4. What the log says"
logged=0
"$python" -I "$demo/show_log.py" "$scratch/audit.jsonl" >"$scratch/records" 2>&1 || logged=1
indent <"$scratch/records"

section "5. What came of it"
say "${good}ok$plain" "the tool ended well" test "$status" -eq 0
say "${good}ok$plain" "its summary is the one that it writes unprotected" same_useful_part
say "${good}ok$plain" "the key is where it was, and nowhere else" nothing_leaked
say "${good}ok$plain" "the archive is whole" archive_whole
say "${good}ok$plain" "the downloaded program was saved, but did not run" updater_saved_but_not_run
say "${good}ok$plain" "all five attempts were blocked and are in the log" test "$logged" -eq 0

mkdir -p "$out"
cp "$scratch/safe/work/SUMMARY.md" "$scratch/audit.jsonl" "$out/" 2>/dev/null || failures=1
printf '\n  report: %s\n  log:    %s\n' "$out/SUMMARY.md" "$out/audit.jsonl"
[ "$failures" -eq 0 ]
