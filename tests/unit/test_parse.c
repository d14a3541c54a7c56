/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/runner.h"

/* A policy that is wrong, and all that is said of it. */
static const struct {
	const char *name;
	const char *text;
	const char *faults;
} corpus[] = {
	{"unknown key",
	 "version: 1\n"
	 "foo: 1\n",
	 "policy.yaml:2:1: unknown key 'foo'; expected one of version, extends, vars, fi"
	 "les, exec, network, syscalls, env, limits, on_block, rollback, observe\n"},
	{"unknown key, near",
	 "version: 1\n"
	 "file: {}\n",
	 "policy.yaml:2:1: unknown key 'file'; did you mean 'files'?\n"},
	{"unknown key in files",
	 "version: 1\n"
	 "files: {reed: []}\n",
	 "policy.yaml:2:9: unknown key 'reed' in files; did you mean 'read'?\n"},
	{"unknown key in files, far",
	 "version: 1\n"
	 "files: {xylophone: []}\n",
	 "policy.yaml:2:9: unknown key 'xylophone' in files; expected one of read, write"
	 ", create, modify, delete, attr, deny, hide, rewrite\n"},
	{"unknown key in exec",
	 "version: 1\n"
	 "exec: {alow: []}\n",
	 "policy.yaml:2:8: unknown key 'alow' in exec; did you mean 'allow'?\n"},
	{"unknown key in network",
	 "version: 1\n"
	 "network: {listen: []}\n",
	 "policy.yaml:2:11: unknown key 'listen' in network; expected one of connect, bi"
	 "nd, deny, rewrite\n"},
	{"unknown key in env",
	 "version: 1\n"
	 "env: {unset: []}\n",
	 "policy.yaml:2:7: unknown key 'unset' in env; did you mean 'set'?\n"},
	{"unknown key in limits",
	 "version: 1\n"
	 "limits: {time: 5}\n",
	 "policy.yaml:2:10: unknown key 'time' in limits; expected one of wall, cpu, mem"
	 "ory, processes, open_files, file_size, disk, output\n"},
	{"unknown key in observe",
	 "version: 1\n"
	 "observe: {lib: true}\n",
	 "policy.yaml:2:11: unknown key 'lib' in observe; expected one of library\n"},
	{"unknown key in syscalls",
	 "version: 1\n"
	 "syscalls: {block: []}\n",
	 "policy.yaml:2:12: unknown key 'block' in syscalls; expected one of deny, allow"
	 "\n"},
	{"section is a list",
	 "version: 1\n"
	 "files: [/x]\n",
	 "policy.yaml:2:8: expected a mapping with read, write, create, modify, delete, "
	 "attr, deny, hide, rewrite, found a list\n"},
	{"section is nothing",
	 "version: 1\n"
	 "files:\n",
	 "policy.yaml:2:7: expected a mapping with read, write, create, modify, delete, "
	 "attr, deny, hide, rewrite, found nothing\n"},
	{"section is a word",
	 "version: 1\n"
	 "limits: none\n",
	 "policy.yaml:2:9: expected a mapping with wall, cpu, memory, processes, open_fi"
	 "les, file_size, disk, output, found 'none'\n"},
	{"list is a word",
	 "version: 1\n"
	 "files: {read: /usr}\n",
	 "policy.yaml:2:15: expected a list of paths in files.read, found '/usr'; write "
	 "read: [\"/usr\"]\n"},
	{"list is a mapping",
	 "version: 1\n"
	 "files: {read: {a: b}}\n",
	 "policy.yaml:2:15: expected a list of paths in files.read, found a mapping\n"},
	{"list is nothing",
	 "version: 1\n"
	 "files:\n"
	 "  read:\n",
	 "policy.yaml:3:8: expected a list of paths in files.read, found nothing\n"},
	{"entry is a list",
	 "version: 1\n"
	 "files: {read: [[/x]]}\n",
	 "policy.yaml:2:16: expected a path, found a list\n"},
	{"entry is nothing",
	 "version: 1\n"
	 "files:\n"
	 "  read:\n"
	 "    -\n",
	 "policy.yaml:4:6: expected a path, found nothing\n"},
	{"no version",
	 "files: {}\n",
	 "policy.yaml:1:1: the key 'version' is missing; expected 'version: 1'\n"},
	{"version 2",
	 "version: 2\n",
	 "policy.yaml:1:10: expected version 1, the only one there is, found '2'\n"},
	{"version as text",
	 "version: \"1\"\n",
	 "policy.yaml:1:10: expected version 1, the only one there is, found \"1\"\n"},
	{"version is a list",
	 "version: [1]\n",
	 "policy.yaml:1:10: expected version 1, the only one there is, found a list\n"},
	{"version is nothing",
	 "version:\n",
	 "policy.yaml:1:9: expected version 1, the only one there is, found nothing\n"},
	{"empty",
	 "",
	 "policy.yaml:1:1: the policy is empty; expected at least 'version: 1'\n"},
	{"only a comment",
	 "# nothing\n",
	 "policy.yaml:1:1: the policy is empty; expected at least 'version: 1'\n"},
	{"only a marker",
	 "---\n",
	 "policy.yaml:1:1: the policy is empty; expected at least 'version: 1'\n"},
	{"a list",
	 "- version: 1\n",
	 "policy.yaml:1:1: expected a mapping of keys such as 'version: 1', found a list"
	 "\n"},
	{"a word",
	 "hello\n",
	 "policy.yaml:1:1: expected a mapping of keys such as 'version: 1', found 'hello"
	 "'\n"},
	{"two documents",
	 "version: 1\n"
	 "---\n"
	 "version: 1\n",
	 "policy.yaml:2:1: a second YAML document starts here; expected one policy in a "
	 "file\n"},
	{"duplicate key",
	 "version: 1\n"
	 "version: 1\n",
	 "policy.yaml:2:1: duplicate key 'version'; it stands first in line 1\n"},
	{"duplicate key below",
	 "version: 1\n"
	 "files:\n"
	 "  read: [/a]\n"
	 "  deny: [/b]\n"
	 "  read: [/c]\n",
	 "policy.yaml:5:3: duplicate key 'read'; it stands first in line 3\n"},
	{"duplicate section",
	 "version: 1\n"
	 "exec: {}\n"
	 "exec: {}\n",
	 "policy.yaml:3:1: duplicate key 'exec'; it stands first in line 2\n"},
	{"key is a list",
	 "version: 1\n"
	 "? [a]\n"
	 ": b\n",
	 "policy.yaml:2:3: expected a key, found a list\n"},
	{"tabs",
	 "version: 1\n"
	 "files:\n"
	 "\tread: []\n",
	 "policy.yaml:3:1: this is not valid YAML: while scanning for the next token, fo"
	 "und character that cannot start any token; quote the text, and indent with spa"
	 "ces\n"},
	{"open bracket",
	 "version: 1\n"
	 "files: {read: [/x\n",
	 "policy.yaml:3:1: this is not valid YAML: while parsing a flow sequence, did no"
	 "t find expected ',' or ']'\n"},
	{"bad indentation",
	 "version: 1\n"
	 "  files: {}\n",
	 "policy.yaml:2:8: this is not valid YAML: mapping values are not allowed in thi"
	 "s context\n"},
	{"unquoted star",
	 "version: 1\n"
	 "files: {read: [**/x]}\n",
	 "policy.yaml:2:17: this is not valid YAML: while scanning an alias, did not fin"
	 "d expected alphabetic or numeric character; a pattern that starts with '*' mus"
	 "t be quoted\n"},
	{"unquoted star and name",
	 "version: 1\n"
	 "files: {read: [*x]}\n",
	 "policy.yaml:2:16: unknown anchor 'x'; a pattern that starts with '*' must be q"
	 "uoted\n"},
	{"unquoted exclamation mark",
	 "version: 1\n"
	 "files: {read: [/a, !/a/b]}\n",
	 "policy.yaml:2:25: this is not valid YAML: while scanning a tag, did not find e"
	 "xpected whitespace or line break; a pattern that starts with '!' must be quote"
	 "d\n"},
	{"unquoted exclamation mark and stars",
	 "version: 1\n"
	 "files:\n"
	 "  deny:\n"
	 "    - !**/x\n",
	 "policy.yaml:4:7: the YAML tag '!**/x' has no meaning here; a pattern that star"
	 "ts with '!' must be quoted\n"},
	{"unquoted at sign",
	 "version: 1\n"
	 "files: {read: [@x]}\n",
	 "policy.yaml:2:16: this is not valid YAML: while scanning for the next token, f"
	 "ound character that cannot start any token; quote the text, and indent with sp"
	 "aces\n"},
	{"anchor that loops",
	 "version: 1\n"
	 "files: &a\n"
	 "  read: *a\n",
	 "policy.yaml:3:9: the anchor '&a' contains itself\n"},
	{"list that holds itself",
	 "version: 1\n"
	 "files:\n"
	 "  read: &a [/x, *a]\n",
	 "policy.yaml:3:17: the anchor '&a' contains itself\n"},
	{"unknown tag on a list",
	 "version: 1\n"
	 "files:\n"
	 "  read: !mine [/x]\n",
	 "policy.yaml:3:9: the YAML tag '!mine' has no meaning here; a pattern that star"
	 "ts with '!' must be quoted\n"},
	{"NUL escape",
	 "version: 1\n"
	 "files: {read: [\"/a\\0b\"]}\n",
	 "policy.yaml:2:16: the text holds a NUL byte\n"},
	{"deep",
	 "version: 1\n"
	 "files: {read: [[[[[[[[[[[[[[[[[[[[/x]]]]]]]]]]]]]]]]]]]]}\n",
	 "policy.yaml:2:29: nested too deeply\n"},
	{"empty pattern",
	 "version: 1\n"
	 "files: {read: [\"\"]}\n",
	 "policy.yaml:2:16: bad path pattern '': it is empty\n"},
	{"only a mark",
	 "version: 1\n"
	 "files: {read: [\"!\"]}\n",
	 "policy.yaml:2:16: bad path pattern '!': it is empty\n"},
	{"open set",
	 "version: 1\n"
	 "files: {read: [\"/a[b\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/a[b': a '[' has no ']'\n"},
	{"range backwards",
	 "version: 1\n"
	 "files: {read: [\"/[z-a]\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/[z-a]': a range between '[' and ']' runs "
	 "backwards\n"},
	{"class",
	 "version: 1\n"
	 "files: {read: [\"/[[:alpha:]]\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/[[:alpha:]]': classes such as [:alpha:] a"
	 "re not known; write the ranges\n"},
	{"set beyond ASCII",
	 "version: 1\n"
	 "files: {read: [\"/[\303\274]\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/[\303\274]': only ASCII stands between '["
	 "' and ']'\n"},
	{"open brace",
	 "version: 1\n"
	 "files: {read: [\"/{a,b\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/{a,b': a '{' has no '}'\n"},
	{"stray brace",
	 "version: 1\n"
	 "files: {read: [\"/a}b\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/a}b': a '}' has no '{'\n"},
	{"empty alternative",
	 "version: 1\n"
	 "files: {read: [\"{,/a}\"]}\n",
	 "policy.yaml:2:16: bad path pattern '{,/a}': an alternative is empty\n"},
	{"too many alternatives",
	 "version: 1\n"
	 "files: {read: [\"/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{"
	 "a,b}': too many alternatives (more than 256)\n"},
	{"too many braces",
	 "version: 1\n"
	 "files: {read: [\"/{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a"
	 "}{a}{a}{a}': too many '{' (more than 16)\n"},
	{"stars in a name",
	 "version: 1\n"
	 "files: {read: [\"/a**b\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/a**b': '**' must stand alone between slas"
	 "hes\n"},
	{"three stars",
	 "version: 1\n"
	 "files: {read: [\"/***\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/***': '**' must stand alone between slash"
	 "es\n"},
	{"parent after a wildcard",
	 "version: 1\n"
	 "files: {read: [\"/*/../x\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/*/../x': '..' may not stand after a wildc"
	 "ard\n"},
	{"final backslash",
	 "version: 1\n"
	 "files: {read: [\"/a\\\\\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/a\\': a '\\' has nothing after it\n"},
	{"bad byte",
	 "version: 1\n"
	 "files: {read: [\"/a\\\\xg0\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/a\\xg0': expected two hexadecimal digits "
	 "after '\\x'\n"},
	{"byte that no name holds",
	 "version: 1\n"
	 "files: {read: [\"/a\\\\x2f\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/a\\x2f': no name holds this byte\n"},
	{"another's home",
	 "version: 1\n"
	 "files: {read: [\"~root/x\"]}\n",
	 "policy.yaml:2:16: bad path pattern '~root/x': '~' stands for the home folder o"
	 "nly when a '/' or nothing follows; write '\\~' for a file of this name\n"},
	{"lone dollar",
	 "version: 1\n"
	 "files: {read: [\"$HOME/x\"]}\n",
	 "policy.yaml:2:16: expected '{NAME}' after '$'; write '\\$' for the sign itself"
	 "\n"},
	{"open variable",
	 "version: 1\n"
	 "files: {read: [\"/x/${HOME\"]}\n",
	 "policy.yaml:2:16: a '${' has no '}'\n"},
	{"unknown variable",
	 "version: 1\n"
	 "files: {read: [\"${nix}\"]}\n",
	 "policy.yaml:2:16: unknown variable ${nix}; expected one of vars, HOME, PWD, US"
	 "ER, UID, TMPDIR, POLICY_DIR or env:NAME\n"},
	{"unknown variable, near",
	 "version: 1\n"
	 "files: {read: [\"${HOM}\"]}\n",
	 "policy.yaml:2:16: unknown variable ${HOM}; did you mean ${HOME}?\n"},
	{"unknown variable, near one of vars",
	 "version: 1\n"
	 "vars: {work: /w}\n"
	 "files: {read: [\"${wrok}\"]}\n",
	 "policy.yaml:3:16: unknown variable ${wrok}; did you mean ${work}?\n"},
	{"variable of the environment not set",
	 "version: 1\n"
	 "files: {read: [\"${env:NIX}/x\"]}\n",
	 "policy.yaml:2:16: the variable ${env:NIX} is not set\n"},
	{"variable of the environment empty",
	 "version: 1\n"
	 "files: {read: [\"${env:EMPTY}/x\"]}\n",
	 "policy.yaml:2:16: the variable ${env:EMPTY} is empty\n"},
	{"variable that stands for itself",
	 "version: 1\n"
	 "vars: {a: \"${b}\", b: \"${a}\"}\n",
	 "policy.yaml:2:22: the variable ${a} stands for itself\n"},
	{"unused variable unknown",
	 "version: 1\n"
	 "vars: {a: \"${nix}\"}\n",
	 "policy.yaml:2:11: unknown variable ${nix}; expected one of vars, HOME, PWD, US"
	 "ER, UID, TMPDIR, POLICY_DIR or env:NAME\n"},
	{"bad name of a variable",
	 "version: 1\n"
	 "vars: {\"a-b\": x}\n",
	 "policy.yaml:2:8: expected the name of a variable, of letters, digits and '_', "
	 "found \"a-b\"\n"},
	{"name that is taken",
	 "version: 1\n"
	 "vars: {HOME: /x}\n",
	 "policy.yaml:2:8: the variable ${HOME} is there already; choose another name\n"},
	{"variable that is a list",
	 "version: 1\n"
	 "vars: {a: [x]}\n",
	 "policy.yaml:2:11: expected a text, found a list\n"},
	{"vars is a list",
	 "version: 1\n"
	 "vars: [a]\n",
	 "policy.yaml:2:7: expected a mapping of names to texts, found a list\n"},
	{"extends is a word",
	 "version: 1\n"
	 "extends: base\n",
	 "policy.yaml:2:10: expected a list of profiles or files in extends, found 'base"
	 "'; write extends: [\"base\"]\n"},
	{"extends nothing there",
	 "version: 1\n"
	 "extends: [./nix.yaml]\n",
	 "policy.yaml:2:11: cannot extend './nix.yaml': cannot read it: No such file or "
	 "directory\n"},
	{"extends no profile",
	 "version: 1\n"
	 "extends: [bsae]\n",
	 "policy.yaml:2:11: cannot extend 'bsae': no profile and no file has this name; "
	 "the profiles are agent, base, observe, offline\n"},
	{"extends itself",
	 "version: 1\n"
	 "extends: [policy.yaml]\n",
	 "policy.yaml:2:11: extends loops: policy.yaml -> policy.yaml\n"},
	{"extends a folder",
	 "version: 1\n"
	 "extends: [\"/\"]\n",
	 "policy.yaml:2:11: cannot extend '/': this is a folder; expected a policy file"
	 "\n"},
	{"endpoint without a port",
	 "version: 1\n"
	 "network: {connect: [\"192.0.2.1\"]}\n",
	 "policy.yaml:2:21: bad endpoint '192.0.2.1': expected ADDRESS:PORT such as "
	 "\"10.0.0.0/8:5432,8000-8999\", \"[::1]:*\", \"udp:192.0.2.7:123\", \"unix:/run"
	 "/x\" or \"unix:@name\"\n"},
	{"port too large",
	 "version: 1\n"
	 "network: {connect: [\"192.0.2.1:65536\"]}\n",
	 "policy.yaml:2:21: bad endpoint '192.0.2.1:65536': expected a port from 0 to 65"
	 "535, a range \"8000-8999\", a list of them, or \"*\" after the last ':'\n"},
	{"port range backwards",
	 "version: 1\n"
	 "network: {connect: [\"192.0.2.1:9-1\"]}\n",
	 "policy.yaml:2:21: bad endpoint '192.0.2.1:9-1': the port range runs backwards"
	 "\n"},
	{"port list open",
	 "version: 1\n"
	 "network: {connect: [\"192.0.2.1:80,\"]}\n",
	 "policy.yaml:2:21: bad endpoint '192.0.2.1:80,': expected a port from 0 to 6553"
	 "5, a range \"8000-8999\", a list of them, or \"*\" after the last ':'\n"},
	{"empty port",
	 "version: 1\n"
	 "network: {connect: [\"192.0.2.1:\"]}\n",
	 "policy.yaml:2:21: bad endpoint '192.0.2.1:': expected a port from 0 to 65535, "
	 "a range \"8000-8999\", a list of them, or \"*\" after the last ':'\n"},
	{"bad IPv4",
	 "version: 1\n"
	 "network: {connect: [\"192.0.2.256:80\"]}\n",
	 "policy.yaml:2:21: bad endpoint '192.0.2.256:80': expected an IPv4 address of f"
	 "our decimal numbers, or a host name\n"},
	{"short IPv4",
	 "version: 1\n"
	 "network: {connect: [\"127.1:80\"]}\n",
	 "policy.yaml:2:21: bad endpoint '127.1:80': expected an IPv4 address of four de"
	 "cimal numbers, or a host name\n"},
	{"hexadecimal IPv4",
	 "version: 1\n"
	 "network: {connect: [\"0x7f000001:80\"]}\n",
	 "policy.yaml:2:21: bad endpoint '0x7f000001:80': expected an IPv4 address of fo"
	 "ur decimal numbers, or a host name\n"},
	{"bits too many",
	 "version: 1\n"
	 "network: {connect: [\"10.0.0.0/33:80\"]}\n",
	 "policy.yaml:2:21: bad endpoint '10.0.0.0/33:80': expected 0 to 32 bits after t"
	 "he '/'\n"},
	{"bits beyond",
	 "version: 1\n"
	 "network: {connect: [\"10.0.0.1/8:80\"]}\n",
	 "policy.yaml:2:21: bad endpoint '10.0.0.1/8:80': the address 10.0.0.1 has bits "
	 "set beyond its first 8; write 10.0.0.0/8\n"},
	{"bits beyond, IPv6",
	 "version: 1\n"
	 "network: {connect: [\"[2001:db8::1/32]:80\"]}\n",
	 "policy.yaml:2:21: bad endpoint '[2001:db8::1/32]:80': the address 2001:db8::1 "
	 "has bits set beyond its first 32; write 2001:db8::/32\n"},
	{"IPv6 bare",
	 "version: 1\n"
	 "network: {connect: [\"::1:80\"]}\n",
	 "policy.yaml:2:21: bad endpoint '::1:80': an IPv6 address stands in brackets: "
	 "\"[::1]:443\"\n"},
	{"bad IPv6",
	 "version: 1\n"
	 "network: {connect: [\"[::g]:80\"]}\n",
	 "policy.yaml:2:21: bad endpoint '[::g]:80': expected an IPv6 address between '["
	 "' and ']'\n"},
	{"IPv6 open",
	 "version: 1\n"
	 "network: {connect: [\"[::1:80\"]}\n",
	 "policy.yaml:2:21: bad endpoint '[::1:80': a '[' has no ']'\n"},
	{"IPv6 without a port",
	 "version: 1\n"
	 "network: {connect: [\"[::1]\"]}\n",
	 "policy.yaml:2:21: bad endpoint '[::1]': expected ADDRESS:PORT such as \"10.0.0"
	 ".0/8:5432,8000-8999\", \"[::1]:*\", \"udp:192.0.2.7:123\", \"unix:/run/x\" or "
	 "\"unix:@name\"\n"},
	{"bad host name",
	 "version: 1\n"
	 "network: {connect: [\"a..b:80\"]}\n",
	 "policy.yaml:2:21: bad endpoint 'a..b:80': this is no host name; \"*.\" may sta"
	 "nd in front of one\n"},
	{"unix path bad",
	 "version: 1\n"
	 "network: {connect: [\"unix:/a[\"]}\n",
	 "policy.yaml:2:21: bad path pattern 'unix:/a[': a '[' has no ']'\n"},
	{"unix path empty",
	 "version: 1\n"
	 "network: {connect: [\"unix:\"]}\n",
	 "policy.yaml:2:21: bad path pattern 'unix:': it is empty\n"},
	{"unix name bad",
	 "version: 1\n"
	 "network: {bind: [\"unix:@a[\"]}\n",
	 "policy.yaml:2:18: bad endpoint 'unix:@a[': a '[' has no ']'\n"},
	{"hide, and a bad pattern",
	 "version: 1\n"
	 "files: {hide: [\"/[\"]}\n",
	 "policy.yaml:2:16: bad path pattern '/[': a '[' has no ']'\n"},
	{"rewrite without to",
	 "version: 1\n"
	 "files: {rewrite: [{path: /a}]}\n",
	 "policy.yaml:2:19: the key 'to' is missing in an entry of files.rewrite\n"},
	{"rewrite with another key",
	 "version: 1\n"
	 "files: {rewrite: [{path: /a, to: /b, too: /c}]}\n",
	 "policy.yaml:2:38: unknown key 'too' in an entry of files.rewrite; did you mean"
	 " 'to'?\n"},
	{"rewrite of words",
	 "version: 1\n"
	 "files: {rewrite: [/a]}\n",
	 "policy.yaml:2:19: expected {path: PATH, to: PATH}, found '/a'\n"},
	{"args a word",
	 "version: 1\n"
	 "exec: {allow: [{path: /a, args: x}]}\n",
	 "policy.yaml:2:33: expected a list of arguments in exec.allow.args, found 'x'; "
	 "write args: [\"x\"]\n"},
	{"sha256 short",
	 "version: 1\n"
	 "exec: {allow: [{path: /a, sha256: abc}]}\n",
	 "policy.yaml:2:35: expected 64 hexadecimal digits, found 'abc'\n"},
	{"program without a path",
	 "version: 1\n"
	 "exec: {allow: [{}]}\n",
	 "policy.yaml:2:16: the key 'path' is missing in an entry of exec.allow\n"},
	{"program a list",
	 "version: 1\n"
	 "exec: {allow: [[/a]]}\n",
	 "policy.yaml:2:16: expected a path or {path: PATH, ...}, found a list\n"},
	{"syscalls",
	 "version: 1\n"
	 "syscalls: {deny: [ptrace], allow: [X]}\n",
	 "policy.yaml:2:36: expected the name of a system call, found 'X'\n"},
	{"rewrite of a pattern",
	 "version: 1\n"
	 "files: {rewrite: [{path: \"/a*\", to: /b}]}\n",
	 "policy.yaml:2:26: expected one file or folder, without wildcards, found '/a*'\n"},
	{"rewrite to itself",
	 "version: 1\n"
	 "exec: {rewrite: [{path: /a/../b, to: /b}]}\n",
	 "policy.yaml:2:38: 'path' and 'to' are the same place; expected another one\n"},
	{"args bad",
	 "version: 1\n"
	 "exec: {allow: [{path: /a, args: [\"[\", [x]]}]}\n",
	 "policy.yaml:2:34: bad argument pattern '[': a '[' has no ']'\n"
	 "policy.yaml:2:39: expected an argument, found a list\n"},
	{"exception with args",
	 "version: 1\n"
	 "exec: {allow: [{path: \"!/a\", args: [x]}]}\n",
	 "policy.yaml:2:23: '!' takes a path back whole; expected no args and no sha256 "
	 "with it\n"},
	{"host name, bad IDNA",
	 "version: 1\n"
	 "network: {connect: [\"xn--0.com:443\", \"a b:1\", \"*.*.com:1\", \"a.0x7f:1\"]}\n",
	 "policy.yaml:2:21: bad endpoint 'xn--0.com:443': this is no host name; \"*.\" ma"
	 "y stand in front of one\n"
	 "policy.yaml:2:38: bad endpoint 'a b:1': this is no host name; \"*.\" may stand "
	 "in front of one\n"
	 "policy.yaml:2:47: bad endpoint '*.*.com:1': this is no host name; \"*.\" may st"
	 "and in front of one\n"
	 "policy.yaml:2:60: bad endpoint 'a.0x7f:1': expected an IPv4 address of four de"
	 "cimal numbers, or a host name\n"},
	{"host name in bind",
	 "version: 1\n"
	 "network: {bind: [\"localhost:80\"]}\n",
	 "policy.yaml:2:18: bad endpoint 'localhost:80': a program listens on an address"
	 ", not on a name\n"},
	{"network.rewrite to many",
	 "version: 1\n"
	 "network: {rewrite: [{connect: \"db:1\", to: \"127.0.0.1:*\"}]}\n",
	 "policy.yaml:2:43: expected one endpoint such as \"127.0.0.1:15432\", \"udp:[::1]"
	 ":53\", \"db.internal:5432\", \"unix:/run/x\" or \"unix:@name\", found \"127.0.0."
	 "1:*\"\n"},
	{"network.rewrite of two protocols",
	 "version: 1\n"
	 "network: {rewrite: [{connect: \"udp:db:1\", to: \"127.0.0.1:1\"}]}\n",
	 "policy.yaml:2:47: one end is TCP and the other is UDP; write 'udp:' before bot"
	 "h\n"},
	{"unknown system call",
	 "version: 1\n"
	 "syscalls: {deny: [ptrce, \"[a\", \"!zzz*\"]}\n",
	 "policy.yaml:2:19: unknown system call 'ptrce'; did you mean 'ptrace'?\n"
	 "policy.yaml:2:26: expected the name of a system call, found \"[a\"\n"
	 "policy.yaml:2:32: unknown system call 'zzz*'; expected a name as in syscalls(2)"
	 "\n"},
	{"env.keep a word",
	 "version: 1\n"
	 "env: {keep: PATH}\n",
	 "policy.yaml:2:13: expected a list of names in env.keep, found 'PATH'; write ke"
	 "ep: [\"PATH\"]\n"},
	{"env name bad",
	 "version: 1\n"
	 "env: {drop: [\"A[\", \"A=B\", \"!\"]}\n",
	 "policy.yaml:2:14: bad name pattern 'A[': a '[' has no ']'\n"
	 "policy.yaml:2:20: bad name pattern 'A=B': a name holds no '='\n"
	 "policy.yaml:2:27: bad name pattern '!': it is empty\n"},
	{"env.set a list",
	 "version: 1\n"
	 "env: {set: [A]}\n",
	 "policy.yaml:2:12: expected a mapping of names to texts, found a list\n"},
	{"env.set a list below",
	 "version: 1\n"
	 "env: {set: {A: [x], \"B=\": y}}\n",
	 "policy.yaml:2:16: expected a text, found a list\n"
	 "policy.yaml:2:21: expected the name of a variable, found \"B=\"\n"},
	{"wall",
	 "version: 1\n"
	 "limits: {wall: soon}\n",
	 "policy.yaml:2:16: expected a duration such as 90, 1.5s, 200ms, 5m or 2h, found"
	 " 'soon'\n"},
	{"wall negative",
	 "version: 1\n"
	 "limits: {wall: -1}\n",
	 "policy.yaml:2:16: expected a duration such as 90, 1.5s, 200ms, 5m or 2h, found"
	 " '-1'\n"},
	{"wall a list",
	 "version: 1\n"
	 "limits: {wall: [1]}\n",
	 "policy.yaml:2:16: expected a duration such as 90, 1.5s, 200ms, 5m or 2h, found"
	 " a list\n"},
	{"sizes bad",
	 "version: 1\n"
	 "limits: {cpu: x, memory: 5Q, processes: many, disk: 99999999999999999999, outp"
	 "ut: 16777216T}\n",
	 "policy.yaml:2:15: expected a duration such as 90, 1.5s, 200ms, 5m or 2h, found"
	 " 'x'\n"
	 "policy.yaml:2:26: expected a size in bytes such as 4096, 10k, 512M or 2G, foun"
	 "d '5Q'\n"
	 "policy.yaml:2:41: expected a number, found 'many'\n"
	 "policy.yaml:2:53: expected a size in bytes such as 4096, 10k, 512M or 2G, foun"
	 "d '99999999999999999999'\n"
	 "policy.yaml:2:83: expected a size in bytes such as 4096, 10k, 512M or 2G, foun"
	 "d '16777216T'\n"},
	{"on_block bad",
	 "version: 1\n"
	 "on_block: ask\n",
	 "policy.yaml:2:11: expected 'deny' or 'kill', found 'ask'\n"},
	{"rollback bad",
	 "version: 1\n"
	 "rollback: [never]\n",
	 "policy.yaml:2:11: expected 'never', 'on-failure' or 'always', found a list\n"},
	{"observe.library bad",
	 "version: 1\n"
	 "observe: {library: maybe}\n",
	 "policy.yaml:2:20: expected 'false' or 'true', found 'maybe'\n"},
	{"escape sequence",
	 "version: 1\n"
	 "\"a\\e[31mb\": 1\n",
	 "policy.yaml:2:1: unknown key 'a\\x1b[31mb'; expected one of version, extends, "
	 "vars, files, exec, network, syscalls, env, limits, on_block, rollback, observe"
	 "\n"},
	{"several",
	 "version: 3\n"
	 "foo: 1\n"
	 "files: {read: [\"/[\", \"${nix}\"], wirte: []}\n"
	 "limits: {wall: x}\n",
	 "policy.yaml:1:10: expected version 1, the only one there is, found '3'\n"
	 "policy.yaml:2:1: unknown key 'foo'; expected one of version, extends, vars, fi"
	 "les, exec, network, syscalls, env, limits, on_block, rollback, observe\n"
	 "policy.yaml:3:16: bad path pattern '/[': a '[' has no ']'\n"
	 "policy.yaml:3:22: unknown variable ${nix}; expected one of vars, HOME, PWD, US"
	 "ER, UID, TMPDIR, POLICY_DIR or env:NAME\n"
	 "policy.yaml:3:33: unknown key 'wirte' in files; did you mean 'write'?\n"
	 "policy.yaml:4:16: expected a duration such as 90, 1.5s, 200ms, 5m or 2h, found"
	 " 'x'\n"},
};

START_TEST(bad_policy)
{
	struct policy *policy;
	char *faults;

	write_file("policy.yaml", corpus[_i].text, 0);
	faults = load_text("policy.yaml", &policy);
	ck_assert_msg(!strcmp(faults, corpus[_i].faults), "%s: expected\n%sfound\n%s",
		      corpus[_i].name, corpus[_i].faults, faults);
	free(faults);
}
END_TEST

static void expect_faults(const char *name, const char *expected)
{
	struct policy *policy;
	char *faults = load_text(name, &policy);

	ck_assert_str_eq(faults, expected);
	free(faults);
	policy_free(policy);
}

START_TEST(unusable_files)
{
	static const char nul[] = "version: 1\nfiles: {}\n  \0";
	static const char utf16[] = "\xff\xfev\0e\0r\0";

	ck_assert_int_eq(mkdir("folder.yaml", 0700), 0);
	expect_faults("folder.yaml", "folder.yaml: this is a folder; expected a policy file\n");
	expect_faults("missing.yaml",
		      "missing.yaml: cannot read it: No such file or directory\n");
	write_file("binary.yaml", nul, sizeof(nul));
	expect_faults("binary.yaml", "binary.yaml:3:3: this is a binary file (it holds a NUL byte); "
				     "expected YAML text\n");
	write_file("utf16.yaml", utf16, sizeof(utf16));
	expect_faults("utf16.yaml", "utf16.yaml:1:4: this is a binary file (it holds a NUL byte); "
				    "expected YAML text\n");
	write_file("latin.yaml", "version: 1\n# \xe4\n", 0);
	expect_faults("latin.yaml", "latin.yaml:2:3: this is not text in UTF-8: incomplete "
				    "UTF-8 octet sequence\n");
	write_file("file", "version: 1\n", 0);
	expect_faults("file/policy.yaml", "file/policy.yaml: cannot read it: Not a directory\n");
}
END_TEST

START_TEST(unreadable_file)
{
	write_file("secret.yaml", "version: 1\n", 0);
	ck_assert_int_eq(chmod("secret.yaml", 0), 0);
	if (geteuid() == 0) /* the superuser reads it all the same */
		expect_faults("secret.yaml", "");
	else
		expect_faults("secret.yaml", "secret.yaml: cannot read it: Permission denied\n");
}
END_TEST

START_TEST(file_of_one_mebibyte)
{
	enum { LIMIT = 1024 * 1024 };
	char *text = malloc(LIMIT + 1);

	ck_assert_ptr_nonnull(text);
	memset(text, '#', LIMIT + 1);
	memcpy(text, "version: 1\n", 11);
	write_file("big.yaml", text, LIMIT);
	expect_faults("big.yaml", "");
	write_file("big.yaml", text, LIMIT + 1);
	expect_faults("big.yaml", "big.yaml:1:1: the file is larger than 1 MiB, the most that a "
				  "policy may have\n");
	free(text);
}
END_TEST

START_TEST(extends_loop)
{
	write_file("a.yaml", "version: 1\nextends: [b.yaml]\n", 0);
	write_file("b.yaml", "version: 1\nextends: [./a.yaml]\n", 0);
	expect_faults("a.yaml", "b.yaml:2:11: extends loops: a.yaml -> b.yaml -> ./a.yaml\n");
}
END_TEST

START_TEST(faults_of_what_is_extended)
{
	write_file("a.yaml", "version: 1\nextends: [b.yaml, c.yaml]\nfoo: 1\n", 0);
	write_file("b.yaml", "version: 1\nfiles: {read: [\"[\"]}\n", 0);
	write_file("c.yaml", "bar: 1\n", 0);
	expect_faults("a.yaml",
		      "c.yaml:1:1: unknown key 'bar'; expected one of version, extends, vars, "
		      "files, exec, network, syscalls, env, limits, on_block, rollback, observe\n"
		      "c.yaml:1:1: the key 'version' is missing; expected 'version: 1'\n"
		      "a.yaml:3:1: unknown key 'foo'; expected one of version, extends, vars, "
		      "files, exec, network, syscalls, env, limits, on_block, rollback, observe\n"
		      "b.yaml:2:16: bad path pattern '[': a '[' has no ']'\n");
}
END_TEST

/* "a: ${b}${b}, b: ${c}${c}..." must take neither for ever nor all memory. */
START_TEST(variables_that_swell)
{
	char text[8192] = "version: 1\nvars:\n  v0: \"xxxxxxxxxxxxxxxx\"\n";
	struct policy *policy;
	char *faults;

	for (int i = 1; i < 60; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "  v%d: \"${v%d}${v%d}\"\n", i, i - 1,
			 i - 1);
	}
	write_file("policy.yaml", text, 0);
	faults = load_text("policy.yaml", &policy);
	ck_assert_ptr_nonnull(strstr(faults, "longer than 65535 bytes"));
	free(faults);
}
END_TEST

START_TEST(aliases_are_fine)
{
	struct policy *policy = load_good("version: 1\nfiles:\n  read: &list [&one /a, /b]\n"
					  "  modify: *list\n  delete: [*one]\n");
	struct access access = {.class = CLASS_FILE, .op = OP_DELETE, .path = "/a/x"};

	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_ALLOW);
	access.path = "/b/x";
	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_DENY);
	access.op = OP_MODIFY;
	ck_assert_int_eq(policy_decide(policy, &access).decision, DECISION_ALLOW);
	policy_free(policy);
}
END_TEST

START_TEST(defaults_are_accepted)
{
	policy_free(load_good("version: 1\non_block: deny\nrollback: never\n"
			      "observe: {library: false}\nfiles: {}\nvars: {}\nextends: []\n"));
}
END_TEST

START_TEST(builtin_profiles)
{
	const char *const *names = policy_profile_names();
	size_t count = 0;

	for (; names[count]; count++) {
		expect_faults(names[count], "");
		if (count > 0)
			ck_assert_int_lt(strcmp(names[count - 1], names[count]), 0);
	}
	ck_assert_uint_ge(count, 4);
	ck_assert_ptr_null(policy_profile_text("nix"));
}
END_TEST

/* Each entry of a built-in profile says why it is there. */
START_TEST(profiles_are_commented)
{
	for (const char *const *name = policy_profile_names(); *name; name++) {
		for (const char *line = policy_profile_text(*name); *line;) {
			const char *end = strchr(line, '\n');
			const char *start = line + strspn(line, " ");

			if (start[0] == '-' && !memmem(line, (size_t)(end - line), "  # ", 4) &&
			    !memmem(line, (size_t)(end - line), " # ", 3))
				ck_abort_msg("%s: no comment: %.*s", *name, (int)(end - line), line);
			line = end + 1;
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parse");
	TCase *bad = tcase_create("corpus");
	TCase *files = tcase_create("files");

	tcase_add_checked_fixture(bad, make_folder, remove_folder);
	tcase_add_loop_test(bad, bad_policy, 0, sizeof(corpus) / sizeof(corpus[0]));
	suite_add_tcase(suite, bad);
	tcase_add_checked_fixture(files, make_folder, remove_folder);
	tcase_add_test(files, unusable_files);
	tcase_add_test(files, unreadable_file);
	tcase_add_test(files, file_of_one_mebibyte);
	tcase_add_test(files, extends_loop);
	tcase_add_test(files, faults_of_what_is_extended);
	tcase_add_test(files, variables_that_swell);
	tcase_add_test(files, aliases_are_fine);
	tcase_add_test(files, defaults_are_accepted);
	tcase_add_test(files, builtin_profiles);
	tcase_add_test(files, profiles_are_commented);
	suite_add_tcase(suite, files);
	return run_suite(suite);
}
