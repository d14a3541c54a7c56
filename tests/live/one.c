/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ends with 1. */
int main(void)
{
	return 1;
}
