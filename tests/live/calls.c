/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls STATEMENT... | calls -
 *
 * Makes system calls as told, one statement each (with "-" a line of standard input each), and
 * prints what each returned: a number or "-EACCES", then what it wrote to an output buffer.
 *
 *	STATEMENT  NR[,OPERAND]...   in front of NR: "t" in a thread of its own
 *	OPERAND    number | s HEX: string | b HEX: bytes | e HEX: bytes in front of an unmapped
 *	           page | p: a wild pointer | o N: output buffer | r N: result of statement N |
 *	           a HEX.HEX...: NULL-terminated array of strings |
 *	           q N:AT+LEN:AT+LEN...: output buffer of N bytes, of which these are shown |
 *	           d N, D N: output buffer of getdents64, getdents: its names, sorted
 *
 * Strings and buffers end where a page ends that has no other behind it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	OPERANDS = 6,
	PAGE = 4096,
	ARENA = 64 * PAGE,
	STATEMENTS = 16384,
	LINE = 2 * ARENA,
	STRINGS = 64,
};

static char *arenas[OPERANDS]; /* behind each: a page that is not mapped */
static long results[STATEMENTS];

struct statement {
	long nr;
	long operands[OPERANDS];
	const char *out;
	size_t out_size;
	char out_kind;      /* the operand's letter */
	const char *ranges; /* of 'q' */
	long result;
};

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "calls: %s\n", what);
	exit(99);
}

static void map_arenas(void)
{
	for (int i = 0; i < OPERANDS; i++) {
		char *pages = mmap(NULL, ARENA + PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (pages == MAP_FAILED || munmap(pages + ARENA, PAGE) < 0)
			give_up("mmap");
		arenas[i] = pages;
	}
}

static unsigned int digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a' + 10);
	give_up("bad hex");
}

/* The bytes that `text` stands for, at the end of the arena, `tail` bytes of NUL behind. */
static char *place(int arena, const char *text, size_t len, size_t tail)
{
	char *bytes = arenas[arena] + ARENA - len / 2 - tail;

	if (len % 2 || len / 2 + tail > ARENA)
		give_up("bad operand");
	for (size_t i = 0; i < len / 2; i++)
		bytes[i] = (char)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
	memset(bytes + len / 2, 0, tail);
	return bytes;
}

static long place_array(int arena, const char *text)
{
	static char *pointers[OPERANDS][STRINGS + 1];
	int count = 0;

	while (*text) {
		size_t len = strcspn(text, ".");
		size_t size = len / 2 + 1;
		char *bytes = malloc(size);

		if (!bytes || count == STRINGS)
			give_up("array");
		memcpy(bytes, place(arena, text, len, 1), size);
		pointers[arena][count++] = bytes;
		text += len + (text[len] == '.');
	}
	pointers[arena][count] = NULL;
	return (long)pointers[arena];
}

static long operand(struct statement *statement, int index, const char *text)
{
	switch (text[0]) {
	case 's':
		return (long)place(index, text + 1, strlen(text + 1), 1);
	case 'b':
	case 'e':
		return (long)place(index, text + 1, strlen(text + 1), 0);
	case 'p':
		return 0x1000;
	case 'o':
	case 'q':
	case 'd':
	case 'D':
		statement->out_kind = text[0];
		statement->ranges = text + strcspn(text, ":");
		statement->out_size = strtoul(text + 1, NULL, 0);
		statement->out = place(index, "", 0, statement->out_size);
		return (long)statement->out;
	case 'r':
		return results[strtoul(text + 1, NULL, 0) % STATEMENTS];
	case 'a':
		return place_array(index, text + 1);
	default:
		return text[0] == '-' ? strtol(text, NULL, 0) : (long)strtoul(text, NULL, 0);
	}
}

static void *make_call(void *argument)
{
	struct statement *statement = argument;
	const long *args = statement->operands;

	statement->result = syscall(statement->nr, args[0], args[1], args[2], args[3], args[4],
				    args[5]);
	if (statement->result < 0)
		statement->result = -errno;
	return NULL;
}

static void print_bytes(const char *bytes, size_t len)
{
	putchar(' ');
	for (size_t i = 0; i < len; i++)
		printf("%02x", (unsigned char)bytes[i]);
}

static void print_ranges(const struct statement *statement)
{
	char *at = (char *)(uintptr_t)statement->ranges;

	while (*at == ':') {
		size_t from = strtoul(at + 1, &at, 0);
		size_t len = strtoul(at + 1, &at, 0);

		if (from + len > statement->out_size)
			give_up("bad range");
		print_bytes(statement->out + from, len);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "name/type", sorted: the order is the file system's. */
static void print_entries(const struct statement *statement)
{
	enum { ENTRIES = 4096, FIXED = 18 };
	static char *entries[ENTRIES];
	const int old = statement->out_kind == 'D';
	size_t count = 0;

	for (long at = 0; at < statement->result && count < ENTRIES;) {
		const char *entry = statement->out + at;
		unsigned short len;
		char type;

		memcpy(&len, entry + 16, sizeof(len));
		type = old ? entry[len - 1] : entry[FIXED];
		if (asprintf(&entries[count++], "%s/%d", entry + FIXED + !old, type) < 0)
			give_up("entry");
		at += len;
	}
	qsort(entries, count, sizeof(*entries), by_text);
	for (size_t i = 0; i < count; i++) {
		printf(" %s", entries[i]);
		free(entries[i]);
	}
}

static void report(const struct statement *statement)
{
	const long result = statement->result;
	const char *name = result < 0 ? strerrorname_np((int)-result) : NULL;

	if (name)
		printf("-%s", name);
	else
		printf("%ld", result);
	if (statement->out_kind == 'q' && result >= 0)
		print_ranges(statement);
	else if (statement->out && result > 0 && (size_t)result <= statement->out_size) {
		if (statement->out_kind == 'o')
			print_bytes(statement->out, (size_t)result);
		else
			print_entries(statement);
	}
	putchar('\n');
	fflush(stdout);
}

static void run(char *text, unsigned int number)
{
	struct statement statement = {0};
	const int in_thread = text[0] == 't';
	char *rest = text + in_thread;
	char *part = strsep(&rest, ",");
	pthread_t thread;

	statement.nr = strtol(part, NULL, 0);
	for (int i = 0; i < OPERANDS && (part = strsep(&rest, ",")); i++)
		statement.operands[i] = operand(&statement, i, part);
	if (!in_thread)
		make_call(&statement);
	else if (pthread_create(&thread, NULL, make_call, &statement) ||
		 pthread_join(thread, NULL))
		give_up("thread");
	results[number % STATEMENTS] = statement.result;
	report(&statement);
}

int main(int argc, char **argv)
{
	static char line[LINE];
	unsigned int number = 0;

	map_arenas();
	if (argc == 2 && !strcmp(argv[1], "-")) {
		while (fgets(line, sizeof(line), stdin)) {
			line[strcspn(line, "\n")] = '\0';
			run(line, number++);
		}
		return 0;
	}
	for (int i = 1; i < argc; i++)
		run(argv[i], number++);
	return 0;
}
