/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ends with 2. */
int main(void)
{
	return 2;
}
