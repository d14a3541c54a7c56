/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_METRICS_SERVER_H
#define PROCTOR_CLI_METRICS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/*
 * What `--metrics-listen` asks for: the figures of a run over HTTP, for Prometheus. Whoever may connect,
 * the tool included where its policy allows that, talks to a process of its own, which has the figures and
 * nothing else: it is no part of the tool's tree, can open no file and reach nobody (seccomp). It asks the
 * supervisor for the figures when it is asked itself.
 */
struct metrics_server;

/* False: libmicrohttpd was not there when this was built, and metrics_server_start() fails. */
bool metrics_server_built(void);

/*
 * Listens at `address` ("127.0.0.1:9477", "[::1]:9477", or a port, which is then one of 127.0.0.1; port 0:
 * any free one), and starts the process, before anything hostile runs. It ends with the calling one.
 * Returns 0 and *ret, or a negative number and *err.
 */
int metrics_server_start(const char *address, struct metrics_server **ret, struct error *err);

/* Where it listens: "127.0.0.1:9477". */
const char *metrics_server_address(const struct metrics_server *server);

/* Readable when the figures are asked for. */
int metrics_server_question(const struct metrics_server *server);

/*
 * Takes what is asked. True: `*ret_number` is to be answered with the figures. False with *ret_gone: the
 * process is no more. Does not block.
 */
bool metrics_server_asked(const struct metrics_server *server, unsigned int *ret_number, bool *ret_gone);
void metrics_server_answer(const struct metrics_server *server, unsigned int number, const char *text,
			   size_t len);

#endif
