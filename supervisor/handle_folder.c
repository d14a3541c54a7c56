/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folders where names are hidden or rewritten: listings, and the working folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "supervisor/handlers.h"
#include "supervisor/names.h"
#include "supervisor/session.h"
#include "supervisor/subject.h"
#include "supervisor/tracee.h"

/* ----------------------------------------------------------------------------- listings */

enum {
	ENTRY_MAX = 512,        /* one entry with the longest name */
	LISTING_MAX = 64 * 1024, /* what is read at once: a kernel may give less than is asked for */
};

/* A listing on its way: entries of getdents64(2), or of getdents(2), which lie alike up to the name. */
struct listing {
	struct session *session;
	const struct object *folder;
	int nr;
	size_t name_at; /* where the name stands in an entry */
	char *entries;  /* owned */
	size_t size;
};

static bool is_hidden(const struct listing *listing, const char *name)
{
	char path[PATH_MAX];

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	return names_step(listing->folder->name, name, path) < 0 ||
	       policy_hides(listing->session->policy, path);
}

/* Takes the hidden entries out of the `len` bytes. Returns what is left. */
static size_t filter(const struct listing *listing, size_t len)
{
	size_t kept = 0;

	for (size_t at = 0; at < len;) {
		const char *entry = listing->entries + at;
		unsigned short entry_len;

		memcpy(&entry_len, entry + offsetof(struct dirent64, d_reclen), sizeof(entry_len));
		if (!is_hidden(listing, entry + listing->name_at)) {
			memmove(listing->entries + kept, entry, entry_len);
			kept += entry_len;
		}
		at += entry_len;
	}
	return kept;
}

/* The next entry does not fit into what the caller gave: it is passed over if it is hidden. 0, or
 * -EINVAL, as for one that is not. */
static int pass_over(const struct listing *listing)
{
	const int fd = listing->folder->fd;
	const off_t before = lseek(fd, 0, SEEK_CUR);
	long got = syscall(listing->nr, fd, listing->entries, ENTRY_MAX);
	uint64_t next;

	if (got <= 0)
		return got < 0 ? -errno : 0;
	memcpy(&next, listing->entries + offsetof(struct dirent64, d_off), sizeof(next));
	if (is_hidden(listing, listing->entries + listing->name_at))
		return lseek(fd, (off_t)next, SEEK_SET) < 0 ? -errno : 0;
	lseek(fd, before, SEEK_SET);
	return -EINVAL;
}

/* As getdents64(2) into listing->entries, without what is hidden. */
static long list(const struct listing *listing)
{
	const bool filtered =
		listing->session->hides &&
		policy_hides_entries(listing->session->policy, listing->folder->name);

	for (;;) {
		long got = syscall(listing->nr, listing->folder->fd, listing->entries,
				   listing->size);
		int error = got < 0 ? errno : 0;

		if (!filtered || got == 0)
			return got < 0 ? -error : got;
		if (got > 0) {
			got = (long)filter(listing, (size_t)got);
			if (got > 0)
				return got;
			continue;
		}
		if (error != EINVAL || listing->size >= ENTRY_MAX)
			return -error;
		error = pass_over(listing);
		if (error < 0)
			return error;
	}
}

/*
 * Carried out on our copy of the descriptor, which shares the caller's place in the folder. Threads
 * that list one open folder at once take turns, as in the kernel.
 */
static struct reply do_list(struct call *call, int nr, size_t name_at)
{
	const uint64_t *args = call->request.args;
	const unsigned int size = (unsigned int)args[2];
	AUTO_OBJECT struct object folder = OBJECT_INIT;
	AUTO_FREE char *entries = NULL;
	struct listing listing = {
		.session = call->session,
		.folder = &folder,
		.nr = nr,
		.name_at = name_at,
		.size = size < LISTING_MAX ? size : LISTING_MAX,
	};
	off_t before;
	long got;
	int error;

	error = resolve_open_file(call, (int)args[0], &folder);
	if (error < 0)
		return tracee_failed(call, error);
	if (!call_valid(call))
		return reply_none();
	entries = malloc(listing.size > ENTRY_MAX ? listing.size : ENTRY_MAX);
	if (!entries)
		return reply_error(ENOMEM);
	listing.entries = entries;
	pthread_mutex_lock(&call->session->listing_lock);
	before = lseek(folder.fd, 0, SEEK_CUR);
	got = list(&listing);
	error = got > 0 ? tracee_write(call, args[1], entries, (size_t)got) : 0;
	if (error < 0)
		lseek(folder.fd, before, SEEK_SET);
	pthread_mutex_unlock(&call->session->listing_lock);
	if (error < 0)
		return tracee_failed(call, error);
	return got < 0 ? reply_error((int)-got) : reply_value(got);
}

struct reply handle_getdents64(struct call *call)
{
	return do_list(call, SYS_getdents64, offsetof(struct dirent64, d_name));
}

struct reply handle_getdents(struct call *call)
{
	enum { NAME_AT = 18 }; /* struct linux_dirent: the type stands behind the name */

	return do_list(call, SYS_getdents, NAME_AT);
}

/* ------------------------------------------------------------------- the working folder */

/* getcwd(2): the name that the tool knows the folder by. */
struct reply handle_getcwd(struct call *call)
{
	const uint64_t *args = call->request.args;
	char name[PATH_MAX];
	size_t len;
	int error;

	if (proc_readlink(call->session, call->request.tid, "cwd", name, sizeof(name)) < 0 ||
	    !names_given(call->session, name))
		return reply_continue(call);
	len = strlen(name) + 1;
	if (args[1] < len)
		return reply_error(ERANGE);
	error = tracee_write(call, args[0], name, len);
	return error < 0 ? tracee_failed(call, error) : reply_value((int64_t)len);
}

/* chdir(2): only the caller can, and by a descriptor, which nobody can change the meaning of. */
struct reply handle_chdir(struct call *call)
{
	AUTO_SUBJECT struct subject subject = SUBJECT_INIT;
	struct reply reply;

	if (!subject_read_path(call, call->request.args[0], 0, 0, false, &subject, &reply) ||
	    !subject_look(call, AT_FDCWD, 0, &subject, &reply))
		return reply;
	if (!S_ISDIR(subject.object.stat.st_mode))
		return reply_error(ENOTDIR);
	if (faccessat(AT_FDCWD, subject.proc_path, X_OK, AT_EACCESS) < 0)
		return reply_error(errno);
	return reply_chdir(TAKE_FD(subject.object.fd));
}
