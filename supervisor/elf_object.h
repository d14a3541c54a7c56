/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_ELF_OBJECT_H
#define PROCTOR_SUPERVISOR_ELF_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A program or library as a file, for naming the frames of a stack. The file is the tool's to make:
 * every number in it is checked against the file's size before it is used.
 */
struct elf_object;

/* Opens the file if it is the one with this inode number, and 64-bit ELF. NULL when it is not. */
struct elf_object *elf_open(const char *path, ino_t ino);
void elf_close(struct elf_object *object);

/* Copies bytes at a place in the file. False when they are not all there. */
bool elf_read(const struct elf_object *object, uint64_t offset, void *buf, size_t len);

/* The virtual address, as linked, of a place in the file; false when it is not loaded. */
bool elf_vaddr(const struct elf_object *object, uint64_t offset, uint64_t *ret);

/* The function that holds the virtual address, and how far into it that is. NULL: not known. Lives as
 * long as the object. */
const char *elf_symbol(const struct elf_object *object, uint64_t vaddr, uint64_t *ret_offset);

/*
 * Where CPython has its state (_PyRuntime), a virtual address, and which version it is (Py_Version). False: the
 * file holds no such interpreter, or one before 3.11.
 */
bool elf_python(const struct elf_object *object, uint64_t *ret_runtime, uint32_t *ret_version);

/* In hexadecimal; "" when there is none. */
const char *elf_build_id(const struct elf_object *object);

/*
 * The search table of the unwind information: pairs of a function's start and of its description
 * (FDE), each a 32-bit distance from *ret_base, a virtual address; sorted. Returns it, and how many
 * pairs; NULL when there is none. Lives as long as the object.
 */
const void *elf_unwind_table(const struct elf_object *object, uint64_t *ret_base,
			     uint32_t *ret_entries);

#endif
