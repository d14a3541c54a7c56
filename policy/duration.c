/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "policy/policy.h"

enum { FRACTION_DIGITS = 9 };

static uint64_t unit_of(const char *name)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"", UINT64_C(1000000000)},        {"ms", UINT64_C(1000000)},
		{"s", UINT64_C(1000000000)},       {"m", UINT64_C(60000000000)},
		{"h", UINT64_C(3600000000000)},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(units[i].name, name))
			return units[i].ns;
	return 0;
}

int policy_parse_duration(const char *text, uint64_t *ret_ns)
{
	uint64_t whole = 0, part = 0, scale = 1;
	uint64_t unit, ns;
	int digits = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*text - '0'), &whole))
			return -EINVAL;
	if (*text == '.') {
		for (text++; isdigit((unsigned char)*text); text++, digits++) {
			if (digits >= FRACTION_DIGITS)
				return -EINVAL;
			part = part * 10 + (uint64_t)(*text - '0');
			scale *= 10;
		}
		if (digits == 0)
			return -EINVAL;
	}
	unit = unit_of(text);
	if (!unit || __builtin_mul_overflow(whole, unit, &ns))
		return -EINVAL;
	/* part < 10^9 and unit < 2^42: the product may not fit, the quotient does. */
	if (__builtin_add_overflow(ns, (uint64_t)((__uint128_t)part * unit / scale), &ns))
		return -EINVAL;
	*ret_ns = ns;
	return 0;
}
