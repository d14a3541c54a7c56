# SPDX-License-Identifier: LGPL-2.1-or-later
#
# awk -f embed.awk FILE...: each file as a C string; report.css is called report_css.
FNR == 1 {
	if (NR > 1)
		print ";\n"
	name = FILENAME
	sub(/.*\//, "", name)
	gsub(/[^A-Za-z0-9]/, "_", name)
	printf "static const char %s[] =\n", name
}
{
	gsub(/\\/, "\\\\")
	gsub(/"/, "\\\"")
	printf "\t\"%s\\n\"\n", $0
}
END {
	print ";"
}
