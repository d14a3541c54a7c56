/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_EXEC_REDIRECT_H
#define PROCTOR_SUPERVISOR_EXEC_REDIRECT_H

#include "supervisor/exec.h"
#include "supervisor/trace.h"

/*
 * Execs of one program in place of another (exec.rewrite). The call itself is refused, and before its
 * thread is back in the tool's code it makes another one, by our hand, with the other path. Which file
 * comes of that is verified as of any exec.
 */

struct redirects;
struct redirects *redirects_new(void);

/*
 * Has the calling thread execute plan->redirect with plan->redirect_argv, or with the arguments of the
 * call where that is empty. Returns as trace_call().
 */
int exec_redirect(struct call *call, const struct exec_plan *plan, struct trace_stop *ret);

/* True when the call is the one that exec_redirect() has a thread make: it was decided on. */
bool exec_is_redirected(struct call *call);

#endif
