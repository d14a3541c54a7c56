/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/unwind.h"

#include <inttypes.h>
#include <libunwind.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "supervisor/elf_object.h"
#include "supervisor/perf_map.h"

/* Exported by libunwind for programs that find the table themselves, but in no header of it. */
#define search_unwind_table UNW_OBJ(dwarf_search_unwind_table)
extern int search_unwind_table(unw_addr_space_t space, unw_word_t ip, unw_dyn_info_t *info,
			       unw_proc_info_t *proc_info, int need_unwind_info, void *arg);

enum {
	MAPS_MAX = 4096,
	OBJECTS_MAX = 256,
	FRAMES_MAX = 256,
	CALL_MAX = 7,  /* bytes of the longest call instruction */
};

/* The function of V8 in whose frames byte code runs. */
static const char interpreter[] = "Builtins_InterpreterEntryTrampoline";

struct map {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	ino_t ino;
	bool executable;
	char path[512];
};

/* A file that was opened before, or could not be. */
struct known_object {
	ino_t ino;
	char path[512];
	struct elf_object *object;
};

struct unwinder {
	unw_addr_space_t space;
	struct known_object objects[OBJECTS_MAX];
	size_t object_count;
	struct map maps[MAPS_MAX];
	size_t map_count;
	const struct unwind_snapshot *snapshot;
	const unsigned char *table; /* search table that libunwind looks at */
	size_t table_len;
	uint64_t fps[FRAMES_MAX]; /* frame pointers of the frames that were unwound; 0: not known */
	/* Of the frame that is being unwound. */
	uint64_t frame_ip;
	uint64_t frame_sp;
};

static void read_maps(struct unwinder *unwinder, const char *text)
{
	unwinder->map_count = 0;
	while (*text && unwinder->map_count < MAPS_MAX) {
		struct map *map = &unwinder->maps[unwinder->map_count];
		const size_t line = strcspn(text, "\n");
		const char *path;
		char permissions[5];
		int used = 0;

		if (sscanf(text, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %lu%n", &map->start,
			   &map->end, permissions, &map->offset, &map->ino, &used) == 5 &&
		    (size_t)used <= line) {
			path = text + used + strspn(text + used, " ");
			map->executable = permissions[2] == 'x';
			snprintf(map->path, sizeof(map->path), "%.*s",
				 (int)(text + line - path < 0 ? 0 : text + line - path), path);
			unwinder->map_count++;
		}
		text += line + (text[line] == '\n');
	}
}

static const struct map *find_map(const struct unwinder *unwinder, uint64_t address)
{
	size_t low = 0;
	size_t high = unwinder->map_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct map *map = &unwinder->maps[middle];

		if (address < map->start)
			high = middle;
		else if (address >= map->end)
			low = middle + 1;
		else
			return map;
	}
	return NULL;
}

static struct elf_object *object_of(struct unwinder *unwinder, const struct map *map)
{
	struct known_object *known;

	if (!map || map->ino == 0 || map->path[0] != '/')
		return NULL;
	for (size_t i = 0; i < unwinder->object_count; i++) {
		known = &unwinder->objects[i];
		if (known->ino == map->ino && !strcmp(known->path, map->path))
			return known->object;
	}
	/* Beyond any sane program: begin anew. */
	if (unwinder->object_count == OBJECTS_MAX) {
		for (size_t i = 0; i < OBJECTS_MAX; i++) {
			if (unwinder->objects[i].object)
				elf_close(unwinder->objects[i].object);
		}
		unwinder->object_count = 0;
	}
	known = &unwinder->objects[unwinder->object_count++];
	known->ino = map->ino;
	strcpy(known->path, map->path);
	known->object = elf_open(map->path, map->ino);
	return known->object;
}

/* Where libunwind finds the search table: no address of a process. */
#define TABLE_ADDRESS 0xffff800000000000ULL

/* Of the snapshot, and of files as they are mapped. */
static bool read_memory(struct unwinder *unwinder, uint64_t address, void *buf, size_t len)
{
	const struct unwind_snapshot *snapshot = unwinder->snapshot;
	const uint64_t into = address - snapshot->sp;
	const struct map *map;
	const struct elf_object *object;

	if (into < snapshot->stack_len && len <= snapshot->stack_len - into) {
		memcpy(buf, snapshot->stack + into, len);
		return true;
	}
	if (address >= TABLE_ADDRESS) {
		address -= TABLE_ADDRESS;
		/* The last entry is read by words, and may end in the middle of one. */
		if (address >= unwinder->table_len)
			return false;
		memset(buf, 0, len);
		memcpy(buf, unwinder->table + address,
		       len < unwinder->table_len - address ? len
							   : unwinder->table_len - address);
		return true;
	}
	map = find_map(unwinder, address);
	object = object_of(unwinder, map);
	return object && elf_read(object, address - map->start + map->offset, buf, len);
}

/* ------------------------------------------------------------------------ frame pointers */

static bool is_call(const unsigned char *end)
{
	/* call rel32, or call r/m64: opcode FF, /2 in the byte behind it. */
	if (end[-5] == 0xe8)
		return true;
	for (int back = 2; back <= CALL_MAX; back++) {
		if (end[-back] == 0xff && (end[1 - back] & 0x38) == 0x10)
			return true;
	}
	return false;
}

/*
 * True when `address` is behind a call instruction that may have called the function that starts at
 * `start` (0: not known).
 */
static bool returns_from(struct unwinder *unwinder, uint64_t address, uint64_t start)
{
	const struct map *map = find_map(unwinder, address);
	unsigned char code[CALL_MAX];
	unsigned char target_code[6] = {0};
	int32_t distance;
	uint64_t target;

	if (!map || !map->executable || !read_memory(unwinder, address - CALL_MAX, code, CALL_MAX) ||
	    !is_call(code + CALL_MAX))
		return false;
	if (code[CALL_MAX - 5] != 0xe8 || !start)
		return true;
	memcpy(&distance, code + CALL_MAX - 4, sizeof(distance));
	target = address + (uint64_t)(int64_t)distance;
	if (target == start)
		return true;
	/* Through a table of jumps, with or without ENDBR64 in front. */
	return read_memory(unwinder, target, target_code, sizeof(target_code)) &&
	       ((target_code[0] == 0xff && target_code[1] == 0x25) ||
		(target_code[0] == 0xf3 && target_code[1] == 0x0f && target_code[4] == 0xff) ||
		(target_code[0] == 0xf3 && target_code[1] == 0x0f && target_code[4] == 0xf2));
}

/*
 * The frame pointer of a function that keeps one. The kernel does not show the register, but it points
 * to where the function stored its caller's, and above that stands the return address.
 */
static bool guess_frame_pointer(struct unwinder *unwinder, uint64_t *ret)
{
	const uint64_t end = unwinder->snapshot->sp + unwinder->snapshot->stack_len;
	unw_proc_info_t info = {0};
	uint64_t start = 0;

	if (unw_get_proc_info_by_ip(unwinder->space, unwinder->frame_ip - 1, &info, unwinder) == 0)
		start = info.start_ip;
	for (uint64_t at = (unwinder->frame_sp + 7) & ~7ULL; at + 16 <= end; at += 8) {
		uint64_t words[2];

		if (!read_memory(unwinder, at, words, sizeof(words)))
			return false;
		if (returns_from(unwinder, words[1], start)) {
			*ret = at;
			return true;
		}
	}
	return false;
}

/* --------------------------------------------------------------- what libunwind asks for */

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info, int need,
			  void *arg)
{
	struct unwinder *unwinder = arg;
	const struct map *map = find_map(unwinder, ip);
	const struct elf_object *object = object_of(unwinder, map);
	unw_dyn_info_t table = {.format = UNW_INFO_FORMAT_REMOTE_TABLE};
	uint64_t vaddr;
	uint64_t base;
	uint32_t entries;

	if (!object || !elf_vaddr(object, ip - map->start + map->offset, &vaddr))
		return -UNW_ENOINFO;
	unwinder->table = elf_unwind_table(object, &base, &entries);
	unwinder->table_len = (size_t)entries * 8;
	if (!unwinder->table)
		return -UNW_ENOINFO;
	table.start_ip = map->start;
	table.end_ip = map->end;
	table.u.rti.segbase = base + (ip - vaddr);
	table.u.rti.table_data = TABLE_ADDRESS;
	table.u.rti.table_len = (unw_word_t)entries * 8 / sizeof(unw_word_t);
	return search_unwind_table(space, ip, &table, info, need, arg);
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
	(void)space;
	(void)info;
	(void)arg;
}

static int no_dyn_info(unw_addr_space_t space, unw_word_t *ret, void *arg)
{
	(void)space;
	(void)ret;
	(void)arg;
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write,
		      void *arg)
{
	(void)space;
	if (write || !read_memory(arg, address, value, sizeof(*value)))
		return -UNW_EINVAL;
	return 0;
}

/* Only what /proc/TID/syscall shows, and what can be told from that. */
static int access_reg(unw_addr_space_t space, unw_regnum_t reg, unw_word_t *value, int write,
		      void *arg)
{
	struct unwinder *unwinder = arg;

	(void)space;
	if (write)
		return -UNW_EREADONLYREG;
	switch (reg) {
	case UNW_X86_64_RIP:
		*value = unwinder->snapshot->ip;
		return 0;
	case UNW_X86_64_RSP:
		*value = unwinder->snapshot->sp;
		return 0;
	case UNW_X86_64_RBP:
		return guess_frame_pointer(unwinder, value) ? 0 : -UNW_EBADREG;
	default:
		return -UNW_EBADREG;
	}
}

static int no_fpreg(unw_addr_space_t space, unw_regnum_t reg, unw_fpreg_t *value, int write,
		    void *arg)
{
	(void)space;
	(void)reg;
	(void)value;
	(void)write;
	(void)arg;
	return -UNW_EBADREG;
}

static int no_resume(unw_addr_space_t space, unw_cursor_t *cursor, void *arg)
{
	(void)space;
	(void)cursor;
	(void)arg;
	return -UNW_EINVAL;
}

static int no_proc_name(unw_addr_space_t space, unw_word_t address, char *buf, size_t size,
			unw_word_t *offset, void *arg)
{
	(void)space;
	(void)address;
	(void)buf;
	(void)size;
	(void)offset;
	(void)arg;
	return -UNW_ENOINFO;
}

struct unwinder *unwinder_new(void)
{
	static unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = no_dyn_info,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = no_fpreg,
		.resume = no_resume,
		.get_proc_name = no_proc_name,
	};
	struct unwinder *unwinder = calloc(1, sizeof(*unwinder));

	if (!unwinder)
		return NULL;
	unwinder->space = unw_create_addr_space(&accessors, 0);
	if (!unwinder->space) {
		free(unwinder);
		return NULL;
	}
	/* Another program may stand at the same address next time. */
	unw_set_caching_policy(unwinder->space, UNW_CACHE_NONE);
	return unwinder;
}

static void name_frame(struct unwinder *unwinder, struct unwind_frame *frame, bool innermost)
{
	/* A call that does not return may be the last instruction of its function. */
	const uint64_t ip = frame->ip - (innermost ? 0 : 1);
	const struct map *map = find_map(unwinder, ip);
	const struct elf_object *object;
	const char *symbol;
	uint64_t vaddr;

	if (!map)
		return;
	strcpy(frame->object, map->path);
	frame->offset = frame->ip - map->start + map->offset;
	object = object_of(unwinder, map);
	if (!object || !elf_vaddr(object, ip - map->start + map->offset, &vaddr))
		return;
	strcpy(frame->build_id, elf_build_id(object));
	frame->offset = vaddr + (innermost ? 0 : 1);
	symbol = elf_symbol(object, vaddr, &frame->offset);
	if (symbol) {
		snprintf(frame->symbol, sizeof(frame->symbol), "%s", symbol);
		frame->offset += innermost ? 0 : 1;
	}
}

size_t unwind(struct unwinder *unwinder, const struct unwind_snapshot *snapshot,
	      struct unwind_frame *ret, size_t max)
{
	unw_cursor_t cursor;
	size_t count = 0;

	unwinder->snapshot = snapshot;
	unwinder->frame_ip = snapshot->ip;
	unwinder->frame_sp = snapshot->sp;
	read_maps(unwinder, snapshot->maps);
	if (unw_init_remote(&cursor, unwinder->space, unwinder) != 0)
		return 0;
	while (count < max && count < FRAMES_MAX) {
		unw_word_t ip;
		unw_word_t sp;

		if (unw_get_reg(&cursor, UNW_REG_IP, &ip) != 0 ||
		    unw_get_reg(&cursor, UNW_REG_SP, &sp) != 0 || ip == 0)
			break;
		/* No frame lies below the one that it called. */
		if (count > 0 && sp <= unwinder->frame_sp)
			break;
		unwinder->frame_ip = ip;
		unwinder->frame_sp = sp;
		ret[count] = (struct unwind_frame){.ip = ip};
		name_frame(unwinder, &ret[count], count == 0);
		/* Only there: it may have to be searched for. */
		unwinder->fps[count] = 0;
		if (!strcmp(ret[count].symbol, interpreter) &&
		    unw_get_reg(&cursor, UNW_X86_64_RBP, &unwinder->fps[count]) != 0)
			unwinder->fps[count] = 0;
		count++;
		if (unw_step(&cursor) <= 0)
			break;
	}
	return count;
}

/* Files that have frames on the stack are open by now; of others, those by whose name it can be one. */
static const struct elf_object *opened(struct unwinder *unwinder, const struct map *map)
{
	if (strstr(map->path, "python"))
		return object_of(unwinder, map);
	for (size_t i = 0; i < unwinder->object_count; i++) {
		if (unwinder->objects[i].ino == map->ino &&
		    !strcmp(unwinder->objects[i].path, map->path))
			return unwinder->objects[i].object;
	}
	return NULL;
}

void unwind_find_python(struct unwinder *unwinder, struct python_place *ret)
{
	*ret = (struct python_place){.runtime = 0};
	for (size_t i = 0; i < unwinder->map_count; i++) {
		const struct map *map = &unwinder->maps[i];
		const struct elf_object *object;
		uint64_t vaddr;
		uint64_t runtime;

		if (map->offset != 0 || map->ino == 0)
			continue;
		object = opened(unwinder, map);
		if (!object || !elf_vaddr(object, 0, &vaddr) ||
		    !elf_python(object, &runtime, &ret->version))
			continue;
		ret->runtime = map->start + (runtime - vaddr);
		return;
	}
}

/* Below the frame pointer of V8's interpreter stands, among others, what it interprets. */
static void set_words(const struct unwinder *unwinder, size_t frame, struct perf_place *ret)
{
	enum { WORDS = 6, BYTES = WORDS * sizeof(uint64_t) };
	const struct unwind_snapshot *snapshot = unwinder->snapshot;
	const uint64_t from = unwinder->fps[frame] - BYTES - snapshot->sp;

	ret->words = (const uint64_t *)(const void *)snapshot->stack;
	if (from % sizeof(uint64_t) || from > snapshot->stack_len ||
	    BYTES > snapshot->stack_len - from)
		return;
	ret->words += from / sizeof(uint64_t);
	ret->word_count = WORDS;
}

/* True when a function that was compiled at run time, or interpreted, may stand there. */
static bool may_be_script(const struct unwinder *unwinder, const struct unwind_frame *frame,
			  size_t number, struct perf_place *ret)
{
	*ret = (struct perf_place){.ip = frame->ip};
	if (!strcmp(frame->symbol, interpreter))
		set_words(unwinder, number, ret);
	return ret->words || (!frame->symbol[0] && frame->object[0] != '/');
}

size_t unwind_find_javascript(const struct unwinder *unwinder, pid_t pid,
			      const struct unwind_frame *frames, size_t count,
			      struct script_frame *ret, size_t max)
{
	struct perf_place places[FRAMES_MAX];
	struct script_frame *named;
	size_t place_count = 0;
	size_t found = 0;
	size_t len;
	char *text;

	for (size_t i = 0; i < count && i < FRAMES_MAX; i++)
		place_count += may_be_script(unwinder, &frames[i], i, &places[place_count]);
	if (place_count == 0)
		return 0;
	text = perf_map_read(pid, &len);
	named = text ? calloc(place_count, sizeof(*named)) : NULL;
	if (named)
		perf_map_name(text, len, places, place_count, named);
	for (size_t i = 0; named && i < place_count && found < max; i++) {
		if (named[i].function[0])
			ret[found++] = named[i];
	}
	free(named);
	free(text);
	return found;
}
