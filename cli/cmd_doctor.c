/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>

#include "cli/cli.h"
#include "supervisor/host.h"

static const struct option options[] = {
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"Usage: proctor doctor\n"
	"Says what this host offers, which engine will be used, and what is missing.\n"
	"\n"
	"      --help  print this\n"
	"\n"
	"Exit status: 0 when the host has a safe engine, 1 when it has not.\n";

static void line(const char *what, bool there, const char *note)
{
	printf("  %-44s ", what);
	print_coloured(stdout, there ? COLOUR_GREEN : COLOUR_YELLOW, there ? "yes" : "no ");
	printf("  %s\n", note);
}

static void print_host(const struct host *host)
{
	printf("kernel %s\n", host->release);
	puts("needed:");
	line("seccomp user notification", host->notify, "Linux 5.9");
	line("no other listener on this process", host->listener_free, "");
	line("openat2", host->openat2, "Linux 5.6");
	line("pidfd_getfd of a child", host->pidfd_getfd, "Linux 5.6; ptrace rights");
	line("ptrace of a child", host->trace_child, "exec is verified with it");
	puts("used where it is there:");
	line("calls in flight are not aborted by signals", host->wait_killable, "Linux 5.19");
	line("synchronous wake-up", host->sync_wake, "Linux 6.6: faster");
	line("descriptors of single threads", host->pidfd_thread, "Linux 6.9");
	if (host->landlock_abi)
		printf("  %-44s ABI %d\n", "Landlock", host->landlock_abi);
	else
		line("Landlock", false, "Linux 5.13, lsm=landlock");
	if (host->yama >= 0)
		printf("  %-44s %d\n", "Yama ptrace_scope", host->yama);
}

int cmd_doctor(int argc, char **argv)
{
	struct error err = {0};
	struct host host;
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option != 'h')
			return EXIT_PROCTOR_FAILED;
		fputs(help_text, stdout);
		return finish_output(0);
	}
	if (optind != argc)
		return usage_error("doctor", "takes no argument");
	host_probe(&host);
	print_host(&host);
	if (host_check(&host, &err) < 0) {
		printf("engine: none is safe here: %s\n", err.message);
		return finish_output(EXIT_FOUND);
	}
	puts("engine: notify");
	return finish_output(0);
}
