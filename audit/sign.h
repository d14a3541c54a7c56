/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_AUDIT_SIGN_H
#define PROCTOR_AUDIT_SIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "audit/emit.h"
#include "core/digest.h"
#include "core/error.h"

/*
 * Signed records (Ed25519, RFC 8032). Whoever can write to a log can make its hashes anew; but not
 * the signature of a record, which seals it and, by the hash of the line before, all that stands
 * before it. What is signed is, byte for byte,
 *
 *	proctor audit 1\nPREV\nLINE
 *
 * LINE being the line up to ,"signature":" and PREV as in audit/chain.h. The signature is 128
 * lower-case hexadecimal digits, and the last field before `prev`.
 */
struct signer;

enum { SIGNATURE_HEX_SIZE = 129, PUBLIC_KEY_HEX_SIZE = 65 };

/* Reads a private key (PEM, PKCS #8). Returns 0, or a negative errno with *err set. */
int signer_open(const char *file, struct signer **ret, struct error *err);
void signer_close(struct signer *signer);

/* The public key of it, as hexadecimal digits. */
const char *signer_public(const struct signer *signer);

/* Adds the field to a line that has all its others. 0 or -EIO. */
int signer_sign(const struct signer *signer, struct emitter *line, const char prev[DIGEST_HEX_SIZE]);

/* True when a line, of which `body` bytes stand before ,"prev":", carries a signature. */
bool signature_find(const char *line, size_t body);

/* True when that is the one of the key. */
bool signature_holds(const char *line, size_t body, const char *prev,
		     const char public_key[PUBLIC_KEY_HEX_SIZE]);

/*
 * Makes a new pair: `file`, mode 0600, and the public key beside it, in `file` with .pub behind it, as
 * PEM. Neither may be there yet. Returns 0, or a negative errno with *err set; then neither is.
 */
int signer_make_key(const char *file, char ret_public[PUBLIC_KEY_HEX_SIZE], struct error *err);

/* Reads a public key: a PEM file, or 64 hexadecimal digits. 0 or a negative errno with *err set. */
int signer_read_public(const char *text, char ret[PUBLIC_KEY_HEX_SIZE], struct error *err);

#endif
