/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervisor/table.h"

#include <errno.h>

#include "supervisor/handlers.h"


static const struct syscall_row rows[] = {
#define ROW(nr_, name_, by_, trap_, arg_, class_, op_, handler_, error_)                           \
	{.nr = (nr_),                                                                              \
	 .name = (name_),                                                                          \
	 .by = (by_),                                                                              \
	 .trap = (trap_),                                                                          \
	 .trap_arg = (arg_),                                                                       \
	 .class = (class_),                                                                        \
	 .op = (op_),                                                                              \
	 .handler = (handler_),                                                                    \
	 .error = (error_)},
#include "supervisor/syscall_rows.h"
#undef ROW
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

const struct syscall_row *syscall_row(int nr)
{
	size_t low = 0;
	size_t high = ROW_COUNT;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (rows[middle].nr == nr)
			return &rows[middle];
		if (rows[middle].nr < nr)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct syscall_row *syscall_rows(size_t *ret_count)
{
	*ret_count = ROW_COUNT;
	return rows;
}

const char *syscall_name_at(size_t index)
{
	return index < ROW_COUNT ? rows[index].name : NULL;
}

bool syscall_may_continue(const struct syscall_row *row)
{
	return row && row->by == BY_VALUE;
}
