/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/net_control.h"

#include <errno.h>
#include <limits.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/tracee.h"

/* More than net.core.optmem_max lets anybody send. */
enum { CONTROL_MAX = 1024 * 1024 };

/* Not in older headers. */
enum { LEVEL_TLS = 282, TYPE_TXTIME = 61, TYPE_TIMESTAMPING_NEW = 65, TYPE_TS_OPT_ID = 81 };

/*
 * Control messages that say how a message is sent, not whereto. What is not here is refused: it
 * may be a source route (IP_RETOPTS, IPV6_RTHDR), or need a privilege that the tool has not.
 */
static const struct {
	int level;
	int type;
} harmless[] = {
	{SOL_SOCKET, SO_TIMESTAMPING},
	{SOL_SOCKET, TYPE_TIMESTAMPING_NEW},
	{SOL_SOCKET, TYPE_TXTIME},
	{SOL_SOCKET, TYPE_TS_OPT_ID},
	{IPPROTO_IP, IP_PKTINFO},
	{IPPROTO_IP, IP_TTL},
	{IPPROTO_IP, IP_TOS},
	{IPPROTO_IPV6, IPV6_PKTINFO},
	{IPPROTO_IPV6, IPV6_2292PKTINFO},
	{IPPROTO_IPV6, IPV6_HOPLIMIT},
	{IPPROTO_IPV6, IPV6_2292HOPLIMIT},
	{IPPROTO_IPV6, IPV6_TCLASS},
	{IPPROTO_IPV6, IPV6_DONTFRAG},
	{IPPROTO_UDP, UDP_SEGMENT},
	{LEVEL_TLS, 1 /* TLS_SET_RECORD_TYPE */},
};

void tool_control_release(struct tool_control *control)
{
	for (size_t i = 0; i < control->fd_count; i++)
		close_fd(&control->fds[i]);
	control->fd_count = 0;
	free(control->data);
	control->data = NULL;
}

static bool is_harmless(const struct cmsghdr *cmsg)
{
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (cmsg->cmsg_level == harmless[i].level && cmsg->cmsg_type == harmless[i].type)
			return true;
	return false;
}

static bool refuse(struct call *call, const struct tool_socket *socket, const struct cmsghdr *cmsg,
		   struct reply *ret)
{
	const struct endpoint endpoint = {.transport = TRANSPORT_OTHER, .family = socket->domain};
	char arg[64];
	const struct ask ask = {
		.class = CLASS_NETWORK,
		.ops = {OP_SEND},
		.op_count = 1,
		.endpoint = &endpoint,
		.arg = arg,
	};

	snprintf(arg, sizeof(arg), "control message level %d type %d", cmsg->cmsg_level,
		 cmsg->cmsg_type);
	return tool_socket_refuse(call, &ask, EACCES, "it could send packets elsewhere", ret);
}

/* scm_fp_copy(): each descriptor of the tool becomes one of ours. */
static bool take_fds(struct call *call, struct cmsghdr *cmsg, struct tool_control *control,
		     struct reply *ret)
{
	const size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	unsigned char *data = CMSG_DATA(cmsg);

	if (count > CONTROL_FDS_MAX - control->fd_count) {
		*ret = reply_error(EINVAL);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		fd = tracee_getfd(call, fd);
		if (fd < 0) {
			*ret = tracee_failed(call, fd);
			return false;
		}
		control->fds[control->fd_count++] = fd;
		memcpy(data + i * sizeof(fd), &fd, sizeof(fd));
	}
	return true;
}

static bool is_own_id(id_t id, id_t real, id_t effective, id_t saved)
{
	return id == real || id == effective || id == saved;
}

/*
 * unix(7): without privilege one's own process, user and group only. What the tool may say is
 * checked here, as our process id is another; tool_message_send() deals with that.
 */
static bool take_credentials(struct call *call, struct cmsghdr *cmsg, struct tool_control *control,
			     struct reply *ret)
{
	struct ucred *ucred = (struct ucred *)CMSG_DATA(cmsg);
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	*ret = reply_error(EINVAL);
	if (cmsg->cmsg_len != CMSG_LEN(sizeof(*ucred)))
		return false;
	*ret = reply_error(EPERM);
	if (getresuid(&ruid, &euid, &suid) < 0 || getresgid(&rgid, &egid, &sgid) < 0 ||
	    !is_own_id(ucred->uid, ruid, euid, suid) || !is_own_id(ucred->gid, rgid, egid, sgid) ||
	    ucred->pid != call_tgid(call))
		return false;
	control->credentials = ucred;
	return true;
}

/* *ret_keep: the message goes along. */
static bool take_one(struct call *call, const struct tool_socket *socket, struct cmsghdr *cmsg,
		     struct tool_control *control, bool *ret_keep, struct reply *ret)
{
	const bool unix_only =
		cmsg->cmsg_level == SOL_SOCKET &&
		(cmsg->cmsg_type == SCM_RIGHTS || cmsg->cmsg_type == SCM_CREDENTIALS);
	const bool scm = socket->domain == AF_UNIX || socket->domain == AF_NETLINK;

	/* __scm_send() and __sock_cmsg_send() each pass over what is the other's. */
	*ret_keep = scm ? cmsg->cmsg_level == SOL_SOCKET : !unix_only;
	if (!*ret_keep)
		return true;
	if (unix_only && cmsg->cmsg_type == SCM_RIGHTS && socket->domain == AF_UNIX)
		return take_fds(call, cmsg, control, ret);
	if (unix_only && cmsg->cmsg_type == SCM_CREDENTIALS)
		return take_credentials(call, cmsg, control, ret);
	if (scm) {
		*ret = reply_error(EINVAL);
		return false;
	}
	return is_harmless(cmsg) ? true : refuse(call, socket, cmsg, ret);
}

/* Goes through what was copied, and closes up what stays. */
static bool take_all(struct call *call, const struct tool_socket *socket,
		     struct tool_control *control, struct reply *ret)
{
	size_t at = 0;
	size_t kept = 0;

	while (control->len - at >= sizeof(struct cmsghdr)) {
		struct cmsghdr *cmsg = (struct cmsghdr *)(control->data + at);
		size_t len = cmsg->cmsg_len;
		bool keep;

		if (len < sizeof(*cmsg) || len > control->len - at) { /* CMSG_OK() */
			*ret = reply_error(EINVAL);
			return false;
		}
		/* Moved first, because what is taken points into it. */
		memmove(control->data + kept, cmsg, len);
		cmsg = (struct cmsghdr *)(control->data + kept);
		if (!take_one(call, socket, cmsg, control, &keep, ret))
			return false;
		at += CMSG_ALIGN(len) < control->len - at ? CMSG_ALIGN(len) : control->len - at;
		kept += keep ? CMSG_ALIGN(len) : 0;
	}
	control->len = kept;
	return true;
}

bool tool_control_read(struct call *call, const struct tool_socket *socket, uint64_t ptr,
		       uint64_t len, struct tool_control *control, struct reply *ret)
{
	int error;

	if (len == 0)
		return true;
	if (len > CONTROL_MAX) {
		*ret = reply_error(ENOBUFS);
		return false;
	}
	/* Room for the padding behind the last one. */
	control->data = calloc(1, CMSG_ALIGN(len));
	if (!control->data) {
		*ret = reply_error(ENOBUFS);
		return false;
	}
	error = tracee_read(call, ptr, control->data, len);
	if (error < 0) {
		*ret = tracee_failed(call, error);
		return false;
	}
	control->len = len;
	return take_all(call, socket, control, ret);
}
