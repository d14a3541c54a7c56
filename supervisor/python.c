/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/python.h"

#include <string.h>

enum {
	INTERPRETERS_MAX = 16,
	THREADS_MAX = 1024,
	STEPS_MAX = 256, /* frames that are looked at, those of C included */
	TABLE_MAX = 32 * 1024,
	TEXT_MAX = 512,   /* characters of a name that are looked at */
	FRAME_BYTES = 88, /* of a structure, as far as they matter: what follows may not be mapped */
	CODE_BYTES = 176,
	OBJECT_MAX = CODE_BYTES,
	OWNED_BY_C = 3,   /* enum _frameowner: no Python frame, since 3.12 */
};

/* Where things are; offsets in the interpreter's structures. */
struct layout {
	uint64_t interpreters; /* in _PyRuntimeState */
	uint64_t next_interpreter, threads;
	uint64_t next_thread, native_id, frame;
	bool indirect;         /* `frame` leads to a _PyCFrame... */
	uint64_t current;      /* ...in which this one leads on */
	uint64_t code, previous, instruction, owner;
	uint64_t file, name, first_line, table, instructions;
	uint64_t bytes_length, bytes;
	uint64_t length, state, ascii, compact; /* of texts */
};

/* Include/internal/ of the release, on 64-bit machines. */
static const struct layout layout_3_11 = {
	.interpreters = 40, .next_interpreter = 0, .threads = 16,
	.next_thread = 8, .native_id = 160, .frame = 56, .indirect = true, .current = 8,
	.code = 32, .previous = 48, .instruction = 56, .owner = 69,
	.file = 112, .name = 128, .first_line = 72, .table = 136, .instructions = 184,
	.bytes_length = 16, .bytes = 32, .length = 16, .state = 32, .ascii = 48, .compact = 72,
};

static const struct layout layout_3_12 = {
	.interpreters = 40, .next_interpreter = 0, .threads = 72,
	.next_thread = 8, .native_id = 144, .frame = 56, .indirect = true, .current = 0,
	.code = 0, .previous = 8, .instruction = 56, .owner = 70,
	.file = 112, .name = 128, .first_line = 68, .table = 136, .instructions = 192,
	.bytes_length = 16, .bytes = 32, .length = 16, .state = 32, .ascii = 40, .compact = 56,
};

/* 3.13 says it itself, at the start of _PyRuntime: _Py_DebugOffsets, in words. */
enum {
	DEBUG_COOKIE = 0,
	DEBUG_VERSION = 1,
	DEBUG_INTERPRETERS = 5,
	DEBUG_NEXT_INTERPRETER = 8,
	DEBUG_THREADS = 9,
	DEBUG_NEXT_THREAD = 21,
	DEBUG_FRAME = 23,
	DEBUG_NATIVE_ID = 25,
	DEBUG_PREVIOUS = 29,
	DEBUG_CODE = 30,
	DEBUG_INSTRUCTION = 31,
	DEBUG_OWNER = 33,
	DEBUG_FILE = 35,
	DEBUG_NAME = 37,
	DEBUG_TABLE = 38,
	DEBUG_FIRST_LINE = 39,
	DEBUG_INSTRUCTIONS = 43,
	DEBUG_BYTES_LENGTH = 65,
	DEBUG_BYTES = 66,
	DEBUG_STATE = 68,
	DEBUG_LENGTH = 69,
	DEBUG_ASCII = 70,
	DEBUG_WORDS = 71,
};

static bool read_layout(const struct python_memory *memory, uint64_t runtime, struct layout *ret)
{
	uint64_t words[DEBUG_WORDS];

	if (!memory->read(memory->arg, runtime, words, sizeof(words)) ||
	    memcmp(&words[DEBUG_COOKIE], "xdebugpy", 8) != 0 ||
	    words[DEBUG_VERSION] >> 16 != 0x030d)
		return false;
	*ret = (struct layout){
		.interpreters = words[DEBUG_INTERPRETERS],
		.next_interpreter = words[DEBUG_NEXT_INTERPRETER],
		.threads = words[DEBUG_THREADS],
		.next_thread = words[DEBUG_NEXT_THREAD],
		.native_id = words[DEBUG_NATIVE_ID],
		.frame = words[DEBUG_FRAME],
		.code = words[DEBUG_CODE],
		.previous = words[DEBUG_PREVIOUS],
		.instruction = words[DEBUG_INSTRUCTION],
		.owner = words[DEBUG_OWNER],
		.file = words[DEBUG_FILE],
		.name = words[DEBUG_NAME],
		.first_line = words[DEBUG_FIRST_LINE],
		.table = words[DEBUG_TABLE],
		.instructions = words[DEBUG_INSTRUCTIONS],
		.bytes_length = words[DEBUG_BYTES_LENGTH],
		.bytes = words[DEBUG_BYTES],
		.length = words[DEBUG_LENGTH],
		.state = words[DEBUG_STATE],
		.ascii = words[DEBUG_ASCII],
		.compact = words[DEBUG_ASCII] + 16, /* utf8_length and utf8 */
	};
	return true;
}

/* A version that is not known is left alone: its structures would be taken for others. */
static bool find_layout(const struct python_memory *memory, const struct python_place *place,
			struct layout *ret)
{
	switch (place->version >> 16) {
	case 0x030b:
		*ret = layout_3_11;
		return true;
	case 0x030c:
		*ret = layout_3_12;
		return true;
	case 0x030d:
		return read_layout(memory, place->runtime, ret);
	default:
		return false;
	}
}

/* ------------------------------------------------------------------------ memory */

static bool read_word(const struct python_memory *memory, uint64_t address, uint64_t *ret)
{
	return address && memory->read(memory->arg, address, ret, sizeof(*ret));
}

/* A structure's word, of a copy. */
static uint64_t word_in(const unsigned char object[OBJECT_MAX], uint64_t offset)
{
	uint64_t word = 0;

	if (offset <= OBJECT_MAX - sizeof(word))
		memcpy(&word, object + offset, sizeof(word));
	return word;
}

static uint32_t half_in(const unsigned char object[OBJECT_MAX], uint64_t offset)
{
	return (uint32_t)word_in(object, offset);
}

/* --------------------------------------------------------------------- the thread */

/* The current frame of the thread state; *ret_native is what the kernel calls the thread. */
static uint64_t frame_of(const struct python_memory *memory, const struct layout *layout,
			 uint64_t thread, uint64_t *ret_native)
{
	uint64_t frame = 0;

	if (!read_word(memory, thread + layout->native_id, ret_native) ||
	    !read_word(memory, thread + layout->frame, &frame))
		return 0;
	if (layout->indirect && !read_word(memory, frame + layout->current, &frame))
		return 0;
	return frame;
}

/*
 * The thread's frame, 0: none. The child of a fork may have the number of the thread that forked still: if
 * it is the only one, it is meant.
 */
static uint64_t find_frame(const struct python_memory *memory, const struct layout *layout,
			   uint64_t runtime, pid_t tid)
{
	uint64_t interpreter = 0;
	uint64_t only = 0;
	unsigned int threads = 0;

	read_word(memory, runtime + layout->interpreters, &interpreter);
	for (int i = 0; i < INTERPRETERS_MAX && interpreter; i++) {
		uint64_t thread = 0;

		read_word(memory, interpreter + layout->threads, &thread);
		for (; thread && threads < THREADS_MAX; threads++) {
			uint64_t native = 0;

			only = frame_of(memory, layout, thread, &native);
			if (native == (uint64_t)tid)
				return only;
			if (!read_word(memory, thread + layout->next_thread, &thread))
				thread = 0;
		}
		if (!read_word(memory, interpreter + layout->next_interpreter, &interpreter))
			break;
	}
	return threads == 1 ? only : 0;
}

/* ---------------------------------------------------------------------- the names */

static void put_character(char *text, size_t size, size_t *used, uint32_t character)
{
	char bytes[4];
	size_t len = 0;

	if (character < 0x80) {
		bytes[len++] = (char)character;
	} else if (character < 0x800) {
		bytes[len++] = (char)(0xc0 | character >> 6);
		bytes[len++] = (char)(0x80 | (character & 0x3f));
	} else if (character < 0x10000) {
		bytes[len++] = (char)(0xe0 | character >> 12);
		bytes[len++] = (char)(0x80 | (character >> 6 & 0x3f));
		bytes[len++] = (char)(0x80 | (character & 0x3f));
	} else {
		bytes[len++] = (char)(0xf0 | (character >> 18 & 7));
		bytes[len++] = (char)(0x80 | (character >> 12 & 0x3f));
		bytes[len++] = (char)(0x80 | (character >> 6 & 0x3f));
		bytes[len++] = (char)(0x80 | (character & 0x3f));
	}
	if (*used + len >= size || character == 0)
		return;
	memcpy(text + *used, bytes, len);
	*used += len;
}

/* A str: of a long one the end, which for a file is what tells most. */
static void read_text(const struct python_memory *memory, const struct layout *layout,
		      uint64_t address, char *ret, size_t size)
{
	unsigned char bytes[TEXT_MAX * sizeof(uint32_t)];
	uint64_t length = 0;
	uint64_t state = 0;
	uint64_t skip = 0;
	unsigned int kind;
	size_t used = 0;
	uint64_t data;

	ret[0] = '\0';
	if (!read_word(memory, address + layout->length, &length) ||
	    !read_word(memory, address + layout->state, &state))
		return;
	kind = state >> 2 & 7;
	if (!(state >> 5 & 1) || (kind != 1 && kind != 2 && kind != 4) || length > UINT32_MAX)
		return;
	if (length >= size)
		skip = length - size + 1;
	if (length - skip > TEXT_MAX)
		skip = length - TEXT_MAX;
	data = address + (state >> 6 & 1 ? layout->ascii : layout->compact);
	if (!memory->read(memory->arg, data + skip * kind, bytes, (length - skip) * kind))
		return;
	for (size_t i = 0; i < length - skip; i++) {
		uint32_t character = 0;

		memcpy(&character, bytes + i * kind, kind);
		put_character(ret, size, &used, character);
	}
	ret[used] = '\0';
}

/* ----------------------------------------------------------------------- the line */

/* A number in pieces of six bits. It is one of 32, so that sums of them fit 64, whatever stands there. */
static uint64_t read_number(const unsigned char *table, size_t len, size_t *at)
{
	uint64_t number = 0;

	for (unsigned int shift = 0; *at < len && shift < 36; shift += 6) {
		const unsigned char byte = table[(*at)++];

		number |= (uint64_t)(byte & 0x3f) << shift;
		if (!(byte & 0x40))
			break;
	}
	return number;
}

static int64_t read_distance(const unsigned char *table, size_t len, size_t *at)
{
	const uint64_t number = read_number(table, len, at);

	return number & 1 ? -(int64_t)(number >> 1) : (int64_t)(number >> 1);
}

/* Objects/locations.md of the interpreter. */
unsigned int python_line(const unsigned char *table, size_t len, unsigned int line, uint64_t at)
{
	enum { ONE_LINE = 10, NO_COLUMNS = 13, LONG = 14, NONE = 15 };
	uint64_t code = 0;
	int64_t now = line;

	for (size_t place = 0; place < len;) {
		const unsigned char head = table[place++];
		const unsigned int kind = head >> 3 & 15;

		if (kind == NO_COLUMNS || kind == LONG)
			now += read_distance(table, len, &place);
		else if (kind >= ONE_LINE && kind < NO_COLUMNS)
			now += kind - ONE_LINE;
		code += 2 * ((head & 7U) + 1);
		if (at < code)
			return kind == NONE || now <= 0 || now > INT32_MAX ? 0 : (unsigned int)now;
		while (place < len && !(table[place] & 0x80))
			place++;
	}
	return 0;
}

static unsigned int read_line(const struct python_memory *memory, const struct layout *layout,
			      const unsigned char code[OBJECT_MAX], uint64_t at)
{
	const uint64_t table = word_in(code, layout->table);
	unsigned char bytes[4096];
	uint64_t length = 0;

	if (!read_word(memory, table + layout->bytes_length, &length) || length > TABLE_MAX)
		return 0;
	/* Of a long one the beginning: its lines are told only there. */
	if (length > sizeof(bytes))
		length = sizeof(bytes);
	if (!memory->read(memory->arg, table + layout->bytes, bytes, length))
		return 0;
	return python_line(bytes, length, half_in(code, layout->first_line), at);
}

/* False: it is no frame of a Python function. */
static bool read_frame(const struct python_memory *memory, const struct layout *layout,
		       const unsigned char frame[OBJECT_MAX], struct script_frame *ret)
{
	const uint64_t address = word_in(frame, layout->code);
	unsigned char code[OBJECT_MAX];

	if ((word_in(frame, layout->owner) & 0xff) == OWNED_BY_C || !address ||
	    !memory->read(memory->arg, address, code, sizeof(code)))
		return false;
	*ret = (struct script_frame){.line = 0};
	read_text(memory, layout, word_in(code, layout->name), ret->function, sizeof(ret->function));
	read_text(memory, layout, word_in(code, layout->file), ret->file, sizeof(ret->file));
	ret->line = read_line(memory, layout, code,
			      word_in(frame, layout->instruction) - address - layout->instructions);
	return ret->function[0] && ret->file[0];
}

size_t python_walk(const struct python_memory *memory, const struct python_place *place, pid_t tid,
		   struct script_frame *ret, size_t max)
{
	struct layout layout;
	size_t count = 0;
	uint64_t frame;

	if (!place->runtime || !find_layout(memory, place, &layout))
		return 0;
	frame = find_frame(memory, &layout, place->runtime, tid);
	for (int step = 0; step < STEPS_MAX && count < max && frame; step++) {
		unsigned char bytes[OBJECT_MAX] = {0};

		if (!memory->read(memory->arg, frame, bytes, FRAME_BYTES))
			break;
		count += read_frame(memory, &layout, bytes, &ret[count]);
		frame = word_in(bytes, layout.previous);
	}
	return count;
}
