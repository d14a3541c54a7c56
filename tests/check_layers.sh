#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# tests/check_layers.sh
#
# Checks the architecture: core <- policy, audit <- supervisor <- cli; policy and audit never
# include each other; preload includes nothing of ours, and only its ABI is included; every header
# compiles alone; only the engine can let the kernel run a call.
# Environment: srcdir, CC, CPPFLAGS, CFLAGS.

set -u

srcdir=${srcdir:-$(dirname "$0")/..}
CC=${CC:-cc}
passed=0
failed=0

result() {
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok   $2"
	else
		failed=$((failed + 1))
		echo "FAIL $2"
	fi
}

# What folder $1 includes of our own folders, besides those in $2.
foreign_includes() {
	grep -Hn '^#include "' "$srcdir/$1"/*.[ch] |
		grep -Ev "#include \"(($2)(/|\")|config\\.h\")"
}

for layer in "core:core" "policy:core|policy" "audit:core|audit" \
	"supervisor:core|policy|audit|supervisor|preload/abi\\.h" \
	"cli:core|policy|audit|supervisor|cli|preload/abi\\.h" "preload:preload"; do
	folder=${layer%%:*}
	found=$(foreign_includes "$folder" "${layer#*:}")
	[ -z "$found" ]
	result $? "$folder includes only what is below it"
	[ -z "$found" ] || echo "$found"
done

for header in "$srcdir"/core/*.h "$srcdir"/policy/*.h "$srcdir"/audit/*.h "$srcdir"/supervisor/*.h \
	"$srcdir"/cli/*.h "$srcdir"/preload/*.h; do
	name=${header#"$srcdir"/}
	# shellcheck disable=SC2086 # flags are words
	echo "#include \"$name\"" |
		$CC -std=gnu17 -D_GNU_SOURCE -I"$srcdir" -I. ${CPPFLAGS:-} -fsyntax-only -x c -
	result $? "$name compiles alone"
done

found=$(grep -ln 'NOTIF_FLAG_CONTINUE' "$srcdir"/*/*.[ch] | grep -v '/tests/')
[ "$found" = "$srcdir/supervisor/notify.c" ]
result $? "the kernel is told to run a call in supervisor/notify.c only"

found=$(grep -n 'notify_continue(' "$srcdir"/supervisor/*.c | grep -Ev '/(notify|trace|exec|mapping)\.c:')
[ -z "$found" ]
result $? "notify_continue() is called by the engine and by what verifies afterwards only"

found=$(grep -n 'REPLY_CONTINUE' "$srcdir"/supervisor/*.c | grep -Ev '/(notify|call)\.c:')
[ -z "$found" ]
result $? "REPLY_CONTINUE is made by reply_continue() only"

unlicensed=
for file in "$srcdir"/core/*.[ch] "$srcdir"/policy/*.[ch] "$srcdir"/audit/*.[ch] \
	"$srcdir"/supervisor/*.[ch] "$srcdir"/cli/*.[ch] "$srcdir"/preload/*.[ch]; do
	head -n 1 "$file" | grep -q 'SPDX-License-Identifier: LGPL-2.1-or-later' ||
		unlicensed="$unlicensed $file"
done
[ -z "$unlicensed" ] || echo "no licence:$unlicensed"
[ -z "$unlicensed" ]
result $? "every source file names its licence"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
