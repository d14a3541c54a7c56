/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/explain.h"
#include "core/cleanup.h"
#include "core/digest.h"
#include "policy/canonical.h"

enum { OPTION_FIRST_ACCESS = 256 };

/* What can be asked; the option of row i is OPTION_FIRST_ACCESS + i. */
static const struct question {
	enum access_class class;
	enum access_op op;
	enum canonical_last last;
} questions[] = {
	{CLASS_FILE, OP_READ, CANONICAL_FOLLOW},      {CLASS_FILE, OP_MODIFY, CANONICAL_FOLLOW},
	{CLASS_FILE, OP_CREATE, CANONICAL_FOLLOW},    {CLASS_FILE, OP_DELETE, CANONICAL_KEEP},
	{CLASS_EXEC, OP_EXEC, CANONICAL_FOLLOW},      {CLASS_NETWORK, OP_CONNECT, CANONICAL_FOLLOW},
	{CLASS_NETWORK, OP_BIND, CANONICAL_FOLLOW},
};

static const struct option options[] = {
	{"read", required_argument, NULL, OPTION_FIRST_ACCESS},
	{"write", required_argument, NULL, OPTION_FIRST_ACCESS + 1},
	{"create", required_argument, NULL, OPTION_FIRST_ACCESS + 2},
	{"delete", required_argument, NULL, OPTION_FIRST_ACCESS + 3},
	{"exec", required_argument, NULL, OPTION_FIRST_ACCESS + 4},
	{"connect", required_argument, NULL, OPTION_FIRST_ACCESS + 5},
	{"bind", required_argument, NULL, OPTION_FIRST_ACCESS + 6},
	{"policy", required_argument, NULL, 'p'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"Usage: proctor why [-p POLICY]... (--read|--write|--create|--delete|--exec PATH |\n"
	"                   --connect|--bind ENDPOINT) [-- ARG...]\n"
	"Prints 'allow', 'deny' or 'rewrite', what was asked, the rule that decides as\n"
	"FILE:LINE and its text, the other rules that speak of it, and when denied the policy\n"
	"line that would allow it.\n"
	"\n"
	"  -p, --policy POLICY     file or profile; may repeat; 'agent' when there is none\n"
	"      --read PATH         open for reading, list\n"
	"      --write PATH        change the contents, or make it when it does not exist\n"
	"      --create PATH       make it\n"
	"      --delete PATH       remove it or rename it away\n"
	"      --exec PATH         run it, with the arguments ARG... if they are given\n"
	"      --connect ENDPOINT  192.0.2.1:443, [::1]:80, example.org:443, udp:192.0.2.1:53,\n"
	"                          unix:/run/x, unix:@name\n"
	"      --bind ENDPOINT     listen there\n"
	"      --help              print this\n"
	"\n"
	"Exit status: 0 for allow and rewrite, 1 for deny, 125 for a wrong option or policy.\n";

struct asked {
	const char **policies;
	size_t policy_count;
	const struct question *question;
	const char *text;
	const char *const *arguments; /* of the program, argv[0] included; NULL: not said */
};

/* What the kernel would reach by `path` from here. Returns 0 or a negative errno. */
static int reach(const char *path, enum canonical_last last, char ret[PATH_MAX])
{
	AUTO_FREE char *cwd = NULL;
	AUTO_FREE char *whole = NULL;

	if (!*path)
		return -ENOENT;
	if (*path == '/')
		return canonical_path(path, last, ret);
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return -errno;
	if (asprintf(&whole, "%s/%s", cwd, path) < 0) {
		whole = NULL;
		return -ENOMEM;
	}
	return canonical_path(whole, last, ret);
}

/* The name of a unix socket as the kernel would reach it from here. */
static int reach_socket(struct endpoint *endpoint)
{
	char reached[PATH_MAX];
	int result = reach(endpoint->path, CANONICAL_FOLLOW, reached);

	if (result < 0)
		return usage_error("why", "cannot follow '%s': %s", endpoint->path,
				   strerror(-result));
	endpoint->path_len = strlen(reached);
	memcpy(endpoint->path, reached, endpoint->path_len + 1);
	return 0;
}

static int answer_endpoint(const struct policy *policy, const struct asked *asked)
{
	struct access access = {.class = CLASS_NETWORK, .op = asked->question->op};
	struct endpoint endpoint;
	char host[HOST_NAME_SIZE];
	char text[ENDPOINT_TEXT_MAX];

	if (endpoint_parse_named(&endpoint, host, asked->text) < 0)
		return usage_error("why", "bad endpoint '%s': expected 192.0.2.1:443, [::1]:80, "
					  "NAME:443, udp:192.0.2.1:53, unix:/PATH or unix:@NAME",
				   asked->text);
	if (*host && access.op == OP_BIND)
		return usage_error("why", "a program listens on an address, not on a name");
	if (endpoint.transport == TRANSPORT_UNIX && reach_socket(&endpoint) != 0)
		return EXIT_PROCTOR_FAILED;
	access.endpoint = &endpoint;
	access.host = *host ? host : NULL;
	if (*host)
		snprintf(text, sizeof(text), "%s:%s:%u",
			 endpoint.transport == TRANSPORT_UDP ? "udp" : "tcp", host, endpoint.port);
	else
		endpoint_format(&endpoint, text, sizeof(text));
	return explain(policy, &access, text);
}

/* The digest of a regular file. Returns 0, or -1. */
static int digest_file(const char *path, char ret_hex[DIGEST_HEX_SIZE])
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	void *bytes;
	int result;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return -1;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return -1;
	result = digest_hex(bytes, (size_t)st.st_size, ret_hex);
	munmap(bytes, (size_t)st.st_size);
	return result;
}

static int answer_path(const struct policy *policy, const struct asked *asked)
{
	struct access access = {.class = asked->question->class, .op = asked->question->op};
	char hex[DIGEST_HEX_SIZE];
	char path[PATH_MAX];
	int result = reach(asked->text, asked->question->last, path);

	if (result < 0)
		return usage_error("why", "cannot follow '%s': %s", asked->text, strerror(-result));
	if (access.op == OP_MODIFY && faccessat(AT_FDCWD, path, F_OK, 0) < 0 && errno == ENOENT)
		access.op = OP_CREATE;
	access.path = path;
	if (access.op == OP_EXEC) {
		access.argv = asked->arguments;
		if (policy_decide(policy, &access).needs_digest && digest_file(path, hex) == 0)
			access.sha256 = hex;
	}
	return explain(policy, &access, path);
}

/* Returns 0, or the exit code. For --help there is no question afterwards. */
static int read_options(int argc, char **argv, struct asked *asked)
{
	int option;

	while ((option = getopt_long(argc, argv, "+p:", options, NULL)) != -1) {
		if (option == 'h') {
			asked->question = NULL;
			return 0;
		}
		if (option == '?')
			return EXIT_PROCTOR_FAILED;
		if (option == 'p') {
			asked->policies[asked->policy_count++] = optarg;
			continue;
		}
		if (asked->question)
			return usage_error("why", "expected one thing to ask, found two");
		asked->question = &questions[option - OPTION_FIRST_ACCESS];
		asked->text = optarg;
	}
	if (!asked->question)
		return usage_error("why", "expected --read, --write, --create, --delete, --exec, "
					  "--connect or --bind");
	if (optind < argc && asked->question->op != OP_EXEC)
		return usage_error("why", "unexpected argument '%s'", argv[optind]);
	if (asked->question->op == OP_EXEC && (optind < argc || !strcmp(argv[argc - 1], "--")))
		asked->arguments = (const char *const *)argv + optind - 1;
	return 0;
}

int cmd_why(int argc, char **argv)
{
	AUTO_FREE const char **policies = calloc((size_t)argc + 1, sizeof(*policies));
	struct asked asked = {.policies = policies};
	struct policy *policy;
	int status;

	if (!policies)
		return EXIT_PROCTOR_FAILED;
	status = read_options(argc, argv, &asked);
	if (status)
		return status;
	if (!asked.question) {
		fputs(help_text, stdout);
		return finish_output(0);
	}
	policy = load_policies(asked.policies, asked.policy_count);
	if (!policy)
		return EXIT_PROCTOR_FAILED;
	status = asked.question->class == CLASS_NETWORK ? answer_endpoint(policy, &asked)
							: answer_path(policy, &asked);
	policy_free(policy);
	return finish_output(status);
}
