/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/notify.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/cleanup.h"
#include "supervisor/exec.h"
#include "supervisor/inject.h"
#include "supervisor/kernel_abi.h"
#include "supervisor/mapping.h"
#include "supervisor/remote.h"
#include "supervisor/session.h"
#include "supervisor/trace.h"

/* The filter is on no process any more (seccomp_unotify(2)). Asking on would never wait. */
static bool is_over(struct session *session)
{
	struct pollfd poll_fd = {.fd = session->listener, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLHUP);
}

int notify_receive(struct session *session, struct request *ret)
{
	struct seccomp_notif notif;

	/* The kernel wants the structure zeroed. */
	memset(&notif, 0, sizeof(notif));
	if (ioctl(session->listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0)
		return errno == ENOENT && is_over(session) ? -EPIPE : -errno;
	ret->id = notif.id;
	ret->tid = (pid_t)notif.pid;
	ret->arch = notif.data.arch;
	ret->nr = notif.data.nr;
	for (size_t i = 0; i < 6; i++)
		ret->args[i] = notif.data.args[i];
	return 0;
}

static int send_response(struct call *call, int error, int64_t value, uint32_t flags)
{
	struct seccomp_notif_resp response = {
		.id = call->request.id,
		.error = -error,
		.val = error ? 0 : value,
		.flags = flags,
	};

	while (ioctl(call->session->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int notify_continue(struct call *call)
{
	return send_response(call, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int notify_send(struct call *call, int error, int64_t value)
{
	return send_response(call, error, value, 0);
}

int notify_reply(struct call *call, struct reply *reply)
{
	int error = 0;

	switch (reply->kind) {
	case REPLY_ERROR:
		error = notify_send(call, reply->error, 0);
		break;
	case REPLY_VALUE:
		error = notify_send(call, 0, reply->value);
		break;
	case REPLY_FD:
		error = inject(call, reply->fd, reply->cloexec);
		reply->fd = -1;
		break;
	case REPLY_CONTINUE:
	case REPLY_DECIDED:
	case REPLY_ALONE:
		error = notify_continue(call);
		break;
	case REPLY_RESTART:
		error = trace_restart(call);
		break;
	case REPLY_EXEC:
		error = exec_run(call, reply->exec);
		break;
	case REPLY_MAP:
		error = mapping_run(call);
		break;
	case REPLY_PATH:
		error = remote_give_path(call, reply->fd, reply->cloexec);
		break;
	case REPLY_CHDIR:
		error = remote_chdir(call, reply->fd);
		break;
	case REPLY_NONE:
		break;
	}
	close_fd(&reply->fd);
	exec_plan_free(reply->exec);
	reply->exec = NULL;
	return error;
}
