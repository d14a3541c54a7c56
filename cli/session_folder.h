/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_CLI_SESSION_FOLDER_H
#define PROCTOR_CLI_SESSION_FOLDER_H

#include "core/error.h"

enum { SESSION_ID_SIZE = 32 };

/* A new session id: UTC time and random digits, "20261123-081500-1f9c03a7". 0 or -1 and *err. */
int session_id_new(char ret_id[SESSION_ID_SIZE], struct error *err);

/*
 * The folder of all sessions, ${XDG_STATE_HOME:-~/.local/state}/proctor, made if it is not there
 * (mode 0700). Returns it (free()), or NULL and *err.
 */
char *session_state_folder(const char *home, struct error *err);

/* Makes the session's own folder in it. Returns it (free()), or NULL and *err. */
char *session_folder_new(const char *state_folder, const char *id, struct error *err);

/*
 * The folder of a session that was: `name` is its id or the start of one that no other session
 * has, NULL the newest. Returns it (free()), or NULL and *err; err->code is ENOENT when there is
 * none.
 */
char *session_folder_find(const char *home, const char *name, struct error *err);

#endif
