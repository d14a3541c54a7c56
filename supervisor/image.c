/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/image.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/cleanup.h"

enum {
	FIRST_READ = 1024,  /* holds the program headers and PT_INTERP of most programs */
	HEADERS_MAX = 1170, /* fs/binfmt_elf.c: 64 KiB of program headers */
};

struct contents {
	int fd;
	size_t len;
	char head[FIRST_READ + 1];
};

/* `len` bytes at `offset`; from what was read already, if there. */
static bool take(const struct contents *contents, uint64_t offset, void *buf, size_t len)
{
	if (offset <= contents->len && len <= contents->len - offset) {
		memcpy(buf, contents->head + offset, len);
		return true;
	}
	return offset <= INT64_MAX &&
	       pread(contents->fd, buf, len, (off_t)offset) == (ssize_t)len;
}

/* Cut out as fs/binfmt_script.c does. */
static bool find_interpreter(struct contents *contents, struct image *ret)
{
	char *start = contents->head + 2;
	size_t end;
	size_t len;

	if (contents->len < 3 || contents->head[0] != '#' || contents->head[1] != '!')
		return false;
	contents->head[contents->len < IMAGE_HEAD ? contents->len : IMAGE_HEAD] = '\0';
	end = strcspn(start, "\n");
	while (end && (start[end - 1] == ' ' || start[end - 1] == '\t'))
		end--;
	start[end] = '\0';
	start += strspn(start, " \t");
	len = strcspn(start, " \t");
	memcpy(ret->helper, start, len);
	ret->helper[len] = '\0';
	start += len;
	strcpy(ret->argument, start + strspn(start, " \t"));
	return len > 0;
}

/* elf(5), as fs/binfmt_elf.c reads it. A 32-bit program is killed at its first call. */
static bool find_loader(const struct contents *contents, char loader[PATH_MAX])
{
	Elf64_Ehdr header;

	if (contents->len < sizeof(header) || memcmp(contents->head, ELFMAG, SELFMAG) != 0)
		return false;
	memcpy(&header, contents->head, sizeof(header));
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr) ||
	    header.e_phnum > HEADERS_MAX)
		return false;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		if (!take(contents, header.e_phoff + i * sizeof(segment), &segment,
			  sizeof(segment)))
			return false;
		if (segment.p_type != PT_INTERP)
			continue;
		return segment.p_filesz >= 2 && segment.p_filesz <= PATH_MAX &&
		       take(contents, segment.p_offset, loader, segment.p_filesz) &&
		       loader[segment.p_filesz - 1] == '\0';
	}
	return false;
}

void image_read(struct session *session, const struct object *object, struct image *ret)
{
	AUTO_CLOSE int fd = -1;
	struct contents contents;
	ssize_t got;

	ret->kind = IMAGE_PLAIN;
	ret->argument[0] = '\0';
	if (!S_ISREG(object->stat.st_mode))
		return;
	fd = object_open(session, object, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	got = pread(fd, contents.head, FIRST_READ, 0);
	if (got < 0)
		return;
	contents.fd = fd;
	contents.len = (size_t)got;
	if (find_loader(&contents, ret->helper))
		ret->kind = IMAGE_LOADED;
	else if (find_interpreter(&contents, ret))
		ret->kind = IMAGE_SCRIPT;
}
