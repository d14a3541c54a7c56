# SPDX-License-Identifier: LGPL-2.1-or-later
# syscalls.tbl -> X-macro rows. Fails on a malformed row, and on a row that is
# decided through memory and has nobody to carry it out.
function fail(why) {
	print FILENAME ":" FNR ": " why > "/dev/stderr"
	failed = 1
	exit 1
}
/^#/ || NF == 0 { next }
NF != 8 { fail("expected 8 columns, found " NF) }
{
	split($4, trap, ":")
	if ($3 != "value" && $3 != "memory")
		fail("column `by` is value or memory, not " $3)
	if (seen[$1]++)
		fail("number " $1 " stands twice")
	if (named[$2]++)
		fail("name " $2 " stands twice")
	if ($4 != "never" && $7 == "-")
		fail($2 " is notified but has no handler")
	if ($4 == "never" && $3 != "value")
		fail($2 " is decided through memory and nobody carries it out")
	handler = $7 == "-" ? "NULL" : "handle_" $7
	if ($7 != "-" && !declared[$7]++)
		prototypes = prototypes "HANDLER(" handler ")\n"
	rows = rows sprintf("ROW(%s, \"%s\", BY_%s, TRAP_%s, %d, %s, %s, %s, %s)\n", $1, $2,
		toupper($3), toupper(trap[1]), trap[2],
		$5 == "-" ? "CLASS_SYSTEM" : "CLASS_" toupper($5),
		$6 == "-" ? "OP_CALL" : "OP_" toupper($6), handler, $8 == "-" ? "EACCES" : $8)
}
END {
	if (failed)
		exit 1
	print "/* Made from syscalls.tbl by rows.awk. */"
	print "#ifdef HANDLER\n" prototypes "#endif"
	print "#ifdef ROW\n" rows "#endif"
}
