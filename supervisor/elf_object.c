/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/elf_object.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"

enum {
	SEGMENTS_MAX = 64,
	SECTIONS_MAX = 4096,
	SYMBOLS_MAX = 4 * 1000 * 1000,
	BUILD_ID_MAX = 20, /* bytes; SHA-1 is the longest in use */
	EH_TABLE = 12,     /* bytes of .eh_frame_hdr in its usual form, before the table */
	PCREL_SDATA4 = 0x1b,
};

struct symbol {
	uint64_t value;
	uint64_t size;
	const char *name;
};

struct elf_object {
	const unsigned char *bytes;
	size_t size;
	Elf64_Phdr segments[SEGMENTS_MAX];
	size_t segment_count;
	struct symbol *symbols; /* functions, by address */
	size_t symbol_count;
	uint64_t python_runtime; /* virtual addresses, 0: not there */
	uint64_t python_version;
	const void *entries; /* see elf_unwind_table() */
	struct entry *own_entries;
	uint32_t entry_count;
	uint64_t table_base;
	char build_id[2 * BUILD_ID_MAX + 1];
};

struct entry {
	int32_t function;
	int32_t description;
};

/* `len` bytes of the file, NULL when they are not all there. */
static const void *at(const struct elf_object *object, uint64_t offset, uint64_t len)
{
	if (offset > object->size || len > object->size - offset)
		return NULL;
	return object->bytes + offset;
}

bool elf_read(const struct elf_object *object, uint64_t offset, void *buf, size_t len)
{
	const void *found = at(object, offset, len);

	if (found)
		memcpy(buf, found, len);
	return found;
}

bool elf_vaddr(const struct elf_object *object, uint64_t offset, uint64_t *ret)
{
	for (size_t i = 0; i < object->segment_count; i++) {
		const Elf64_Phdr *segment = &object->segments[i];

		/* A mapping begins at a page, up to one before the segment. */
		if (segment->p_type == PT_LOAD && offset - segment->p_offset < segment->p_filesz) {
			*ret = offset - segment->p_offset + segment->p_vaddr;
			return true;
		}
	}
	return false;
}

static bool read_segments(struct elf_object *object, const Elf64_Ehdr *header)
{
	for (size_t i = 0; i < header->e_phnum && i < SEGMENTS_MAX; i++) {
		if (!elf_read(object, header->e_phoff + i * sizeof(Elf64_Phdr), &object->segments[i],
			      sizeof(Elf64_Phdr)))
			return false;
		object->segment_count++;
	}
	return true;
}

static void find_build_id(struct elf_object *object, const Elf64_Phdr *segment)
{
	uint64_t offset = segment->p_offset;
	uint64_t left = segment->p_filesz;
	Elf64_Nhdr note;

	while (left >= sizeof(note) && elf_read(object, offset, &note, sizeof(note))) {
		const uint64_t name = sizeof(note);
		const uint64_t words = name + ((uint64_t)note.n_namesz + 3) / 4 * 4;
		const uint64_t next = words + ((uint64_t)note.n_descsz + 3) / 4 * 4;
		const unsigned char *id = at(object, offset + words, note.n_descsz);

		if (next > left || !id)
			return;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
		    note.n_descsz <= BUILD_ID_MAX &&
		    !memcmp(object->bytes + offset + name, "GNU", sizeof("GNU"))) {
			for (size_t i = 0; i < note.n_descsz; i++)
				snprintf(object->build_id + 2 * i, 3, "%02x", id[i]);
			return;
		}
		offset += next;
		left -= next;
	}
}

static int by_value(const void *left, const void *right)
{
	const struct symbol *a = left;
	const struct symbol *b = right;

	/* Of two names for one function always the same one is told. */
	if (a->value == b->value)
		return strcmp(a->name, b->name);
	return a->value > b->value ? 1 : -1;
}

/* The two variables by which an interpreter is known. */
static void note_variable(struct elf_object *object, const Elf64_Sym *symbol, const char *name)
{
	if (ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT || symbol->st_shndx == SHN_UNDEF)
		return;
	if (!strcmp(name, "_PyRuntime"))
		object->python_runtime = symbol->st_value;
	else if (!strcmp(name, "Py_Version"))
		object->python_version = symbol->st_value;
}

static void read_symbols(struct elf_object *object, const Elf64_Shdr *table,
			 const Elf64_Shdr *strings)
{
	const size_t count = table->sh_size / sizeof(Elf64_Sym);
	const char *text = at(object, strings->sh_offset, strings->sh_size);

	/* Names end within the table. */
	if (!text || strings->sh_size == 0 || text[strings->sh_size - 1] != '\0' ||
	    !at(object, table->sh_offset, table->sh_size) || count > SYMBOLS_MAX)
		return;
	object->symbols = calloc(count ? count : 1, sizeof(*object->symbols));
	for (size_t i = 0; object->symbols && i < count; i++) {
		Elf64_Sym symbol;

		if (!elf_read(object, table->sh_offset + i * sizeof(symbol), &symbol,
			      sizeof(symbol)))
			break;
		if (symbol.st_name < strings->sh_size)
			note_variable(object, &symbol, text + symbol.st_name);
		if ((ELF64_ST_TYPE(symbol.st_info) != STT_FUNC &&
		     ELF64_ST_TYPE(symbol.st_info) != STT_GNU_IFUNC) ||
		    symbol.st_shndx == SHN_UNDEF || symbol.st_name >= strings->sh_size)
			continue;
		object->symbols[object->symbol_count++] = (struct symbol){
			.value = symbol.st_value,
			.size = symbol.st_size,
			.name = text + symbol.st_name,
		};
	}
	if (object->symbols)
		qsort(object->symbols, object->symbol_count, sizeof(*object->symbols), by_value);
}

/* Of .symtab, or of .dynsym where the file is stripped. */
static void find_symbols(struct elf_object *object, const Elf64_Ehdr *header)
{
	static const uint32_t kinds[] = {SHT_SYMTAB, SHT_DYNSYM};

	for (size_t kind = 0; kind < 2 && !object->symbols; kind++) {
		for (size_t i = 0; i < header->e_shnum && i < SECTIONS_MAX; i++) {
			Elf64_Shdr table;
			Elf64_Shdr strings;

			if (!elf_read(object, header->e_shoff + i * sizeof(table), &table,
				      sizeof(table)) ||
			    table.sh_type != kinds[kind] || table.sh_link >= header->e_shnum ||
			    !elf_read(object, header->e_shoff + table.sh_link * sizeof(table),
				      &strings, sizeof(strings)))
				continue;
			read_symbols(object, &table, &strings);
			break;
		}
	}
}

/* .eh_frame_hdr, which linkers make of all but static programs. */
static bool find_table(struct elf_object *object)
{
	for (size_t i = 0; i < object->segment_count; i++) {
		const Elf64_Phdr *segment = &object->segments[i];
		unsigned char head[EH_TABLE];
		uint32_t entries;

		if (segment->p_type != PT_GNU_EH_FRAME ||
		    !elf_read(object, segment->p_offset, head, sizeof(head)))
			continue;
		memcpy(&entries, head + 8, sizeof(entries));
		/* Version 1; pointer pcrel sdata4, count udata4, table datarel sdata4. */
		if (head[0] != 1 || head[1] != PCREL_SDATA4 || head[2] != 0x03 || head[3] != 0x3b)
			return false;
		object->entries =
			at(object, segment->p_offset + EH_TABLE, (uint64_t)entries * 8);
		object->entry_count = object->entries ? entries : 0;
		object->table_base = segment->p_vaddr;
		return object->entries;
	}
	return false;
}

static int by_function(const void *left, const void *right)
{
	const struct entry *a = left;
	const struct entry *b = right;

	return (a->function > b->function) - (a->function < b->function);
}

/* True when descriptions that belong to this CIE begin with a function's start as pcrel sdata4: what
 * compilers make. `cie` stands behind the length. */
static bool is_usual_cie(const unsigned char *cie, size_t len)
{
	const unsigned char *end = cie + len;
	const unsigned char *text = cie + 5; /* id, version */
	const char *augmentation = (const char *)text;
	size_t augmentation_len = len > 5 ? strnlen(augmentation, len - 5) : 0;

	if (len <= 5 + augmentation_len || augmentation_len < 2 || augmentation[0] != 'z' ||
	    augmentation[1] != 'R')
		return false;
	text += augmentation_len + 1;
	/* Code and data alignment, return address register, length: LEB128 of one byte each. */
	for (int i = 0; i < 4; i++, text++) {
		if (text >= end || *text & 0x80)
			return false;
	}
	return text < end && *text == PCREL_SDATA4;
}

/* One entry of .eh_frame, of `len` bytes behind its length word. */
static void add_entry(struct elf_object *object, const Elf64_Shdr *frames, uint64_t offset,
		      uint32_t len)
{
	const unsigned char *bytes = at(object, offset + 4, len);
	uint64_t vaddr = frames->sh_addr + (offset - frames->sh_offset);
	uint32_t cie_distance;
	uint32_t cie_len;
	uint64_t cie;
	int32_t start;

	if (!bytes || len < 12)
		return;
	memcpy(&cie_distance, bytes, sizeof(cie_distance));
	cie = offset + 4 - cie_distance;
	if (cie_distance == 0 || cie < frames->sh_offset || cie >= offset ||
	    !elf_read(object, cie, &cie_len, sizeof(cie_len)) || !at(object, cie + 4, cie_len) ||
	    !is_usual_cie(object->bytes + cie + 4, cie_len))
		return;
	memcpy(&start, bytes + 4, sizeof(start));
	object->own_entries[object->entry_count++] = (struct entry){
		.function = (int32_t)(vaddr + 8 + (uint64_t)(int64_t)start - object->table_base),
		.description = (int32_t)(vaddr - object->table_base),
	};
}

/* The same out of .eh_frame itself. */
static void make_table(struct elf_object *object, const Elf64_Shdr *frames)
{
	uint64_t offset = frames->sh_offset;
	uint32_t len;

	if (!at(object, frames->sh_offset, frames->sh_size))
		return;
	/* An entry has at least its length and 12 bytes. */
	object->own_entries = calloc(frames->sh_size / 16 + 1, sizeof(*object->own_entries));
	object->table_base = frames->sh_addr;
	while (object->own_entries && frames->sh_size - (offset - frames->sh_offset) >= 16 &&
	       elf_read(object, offset, &len, sizeof(len)) && len >= 12 && len < 0xfffffff0 &&
	       len <= frames->sh_size - (offset - frames->sh_offset) - 4) {
		add_entry(object, frames, offset, len);
		offset += 4 + (uint64_t)len;
	}
	if (object->own_entries)
		qsort(object->own_entries, object->entry_count, sizeof(*object->own_entries),
		      by_function);
	object->entries = object->own_entries;
}

static void find_frames(struct elf_object *object, const Elf64_Ehdr *header)
{
	Elf64_Shdr names;

	if (!elf_read(object, header->e_shoff + header->e_shstrndx * sizeof(names), &names,
		      sizeof(names)))
		return;
	for (size_t i = 0; i < header->e_shnum && i < SECTIONS_MAX && !object->entries; i++) {
		static const char name[] = ".eh_frame";
		Elf64_Shdr section;
		const char *found;

		if (!elf_read(object, header->e_shoff + i * sizeof(section), &section,
			      sizeof(section)) || section.sh_type == SHT_NOBITS)
			continue;
		found = at(object, names.sh_offset + section.sh_name, sizeof(name));
		if (found && !memcmp(found, name, sizeof(name)))
			make_table(object, &section);
	}
}

struct elf_object *elf_open(const char *path, ino_t ino)
{
	/* Whatever stands there by now: opening it has no effect and takes no time. */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	struct elf_object *object;
	Elf64_Ehdr header;
	struct stat st;
	void *bytes;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != ino ||
	    st.st_size < (off_t)sizeof(header))
		return NULL;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return NULL;
	object = calloc(1, sizeof(*object));
	if (!object) {
		munmap(bytes, (size_t)st.st_size);
		return NULL;
	}
	object->bytes = bytes;
	object->size = (size_t)st.st_size;
	if (!elf_read(object, 0, &header, sizeof(header)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr) ||
	    !read_segments(object, &header)) {
		elf_close(object);
		return NULL;
	}
	for (size_t i = 0; i < object->segment_count && !object->build_id[0]; i++) {
		if (object->segments[i].p_type == PT_NOTE)
			find_build_id(object, &object->segments[i]);
	}
	if (header.e_shentsize != sizeof(Elf64_Shdr))
		return object;
	find_symbols(object, &header);
	if (!find_table(object))
		find_frames(object, &header);
	return object;
}

void elf_close(struct elf_object *object)
{
	munmap((void *)(uintptr_t)object->bytes, object->size);
	free(object->symbols);
	free(object->own_entries);
	free(object);
}

const char *elf_symbol(const struct elf_object *object, uint64_t vaddr, uint64_t *ret_offset)
{
	size_t low = 0;
	size_t high = object->symbol_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (object->symbols[middle].value <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	/* Aliases, and parts of assembler code that have no size, stand next to each other. */
	for (size_t i = low; i-- > 0 && i + 8 >= low;) {
		const struct symbol *symbol = &object->symbols[i];

		if (vaddr - symbol->value < symbol->size) {
			*ret_offset = vaddr - symbol->value;
			return symbol->name;
		}
	}
	return NULL;
}

bool elf_python(const struct elf_object *object, uint64_t *ret_runtime, uint32_t *ret_version)
{
	unsigned long version = 0; /* const: in the file as in memory */

	for (size_t i = 0; i < object->segment_count && !version; i++) {
		const Elf64_Phdr *segment = &object->segments[i];

		if (segment->p_type == PT_LOAD &&
		    object->python_version - segment->p_vaddr < segment->p_filesz)
			elf_read(object, object->python_version - segment->p_vaddr + segment->p_offset,
				 &version, sizeof(version));
	}
	*ret_runtime = object->python_runtime;
	*ret_version = (uint32_t)version;
	return object->python_runtime && version;
}

const char *elf_build_id(const struct elf_object *object)
{
	return object->build_id;
}

const void *elf_unwind_table(const struct elf_object *object, uint64_t *ret_base,
			     uint32_t *ret_entries)
{
	*ret_base = object->table_base;
	*ret_entries = object->entry_count;
	return object->entries;
}
