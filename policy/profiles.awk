# SPDX-License-Identifier: LGPL-2.1-or-later
# Turns profiles/NAME.yaml, given in alphabetical order, into C: one string each.
function name_of(path) {
	sub(/.*\//, "", path)
	sub(/\.yaml$/, "", path)
	return path
}

BEGIN {
	print "/* Made from policy/profiles by policy/profiles.awk. */"
	print "#include <string.h>\n\n#include \"policy/policy.h\"\n"
}

FNR == 1 {
	if (count++)
		print "\t;\n"
	names[count] = name_of(FILENAME)
	print "static const char text_" count "[] ="
}

{
	gsub(/\\/, "\\\\")
	gsub(/"/, "\\\"")
	print "\t\"" $0 "\\n\""
}

END {
	print "\t;\n\nstatic const char *const names[] = {"
	for (i = 1; i <= count; i++)
		print "\t\"" names[i] "\","
	print "\tNULL,\n};\n\nstatic const char *const texts[] = {"
	for (i = 1; i <= count; i++)
		print "\ttext_" i ","
	print "};\n"
	print "const char *const *policy_profile_names(void)\n{\n\treturn names;\n}\n"
	print "const char *policy_profile_text(const char *name)\n{"
	print "\tfor (size_t i = 0; names[i]; i++)"
	print "\t\tif (!strcmp(names[i], name))\n\t\t\treturn texts[i];"
	print "\treturn NULL;\n}"
}
