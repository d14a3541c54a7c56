/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"

#define HEADING       "proctor audit 1\n"
#define SIGNATURE_KEY ",\"signature\":\""

enum {
	SIGNATURE_SIZE = crypto_sign_ed25519_BYTES,
	PUBLIC_KEY_SIZE = crypto_sign_ed25519_PUBLICKEYBYTES,
	KEY_FILE_MAX = 4096,
	FIELD_LEN = sizeof(SIGNATURE_KEY) - 1 + SIGNATURE_HEX_SIZE - 1 + 1, /* and the quote */
	HEADING_LEN = sizeof(HEADING) - 1,
	PREFIX_LEN = HEADING_LEN + DIGEST_HEX_SIZE - 1 + 1,
};

/* A key file: what stands before the key's bytes in its DER form (RFC 8410), and the PEM label. */
struct key_form {
	const char *label;
	unsigned char prefix[16];
	size_t prefix_len;
};

enum { KEY_SIZE = 32 /* of either kind: a seed, a public key */ };

static const struct key_form secret_form = {
	.label = "PRIVATE KEY",
	.prefix = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
		   0x04, 0x20},
	.prefix_len = 16,
};
static const struct key_form public_form = {
	.label = "PUBLIC KEY",
	.prefix = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00},
	.prefix_len = 12,
};

struct signer {
	unsigned char secret[crypto_sign_ed25519_SECRETKEYBYTES];
	char public_hex[PUBLIC_KEY_HEX_SIZE];
};

static bool from_hex(const char *hex, size_t len, unsigned char *ret)
{
	return strspn(hex, "0123456789abcdef") >= 2 * len &&
	       sodium_hex2bin(ret, len, hex, 2 * len, NULL, NULL, NULL) == 0;
}

/* The text between the PEM lines, in base64, is the prefix and the key. */
static bool read_key(FILE *stream, const struct key_form *form, unsigned char ret[KEY_SIZE])
{
	char text[KEY_FILE_MAX];
	char begin[64];
	char end[64];
	unsigned char der[sizeof(form->prefix) + KEY_SIZE];
	const size_t len = fread(text, 1, sizeof(text) - 1, stream);
	const char *body;
	const char *after;
	size_t der_len;
	bool found = false;

	text[len] = '\0';
	snprintf(begin, sizeof(begin), "-----BEGIN %s-----\n", form->label);
	snprintf(end, sizeof(end), "-----END %s-----", form->label);
	body = strstr(text, begin);
	if (body && sodium_base642bin(der, sizeof(der), body + strlen(begin), strlen(body) - strlen(begin),
				      "\r\n", &der_len, &after, sodium_base64_VARIANT_ORIGINAL) == 0)
		found = der_len == form->prefix_len + KEY_SIZE && !strncmp(after, end, strlen(end)) &&
			!memcmp(der, form->prefix, form->prefix_len);
	if (found)
		memcpy(ret, der + form->prefix_len, KEY_SIZE);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(der, sizeof(der));
	return found;
}

static bool write_key(FILE *stream, const struct key_form *form, const unsigned char key[KEY_SIZE])
{
	unsigned char der[sizeof(form->prefix) + KEY_SIZE];
	char text[sodium_base64_ENCODED_LEN(sizeof(der), sodium_base64_VARIANT_ORIGINAL)];
	bool done;

	memcpy(der, form->prefix, form->prefix_len);
	memcpy(der + form->prefix_len, key, KEY_SIZE);
	sodium_bin2base64(text, sizeof(text), der, form->prefix_len + KEY_SIZE,
			  sodium_base64_VARIANT_ORIGINAL);
	done = fprintf(stream, "-----BEGIN %s-----\n%s\n-----END %s-----\n", form->label, text,
		       form->label) > 0;
	sodium_memzero(text, sizeof(text));
	sodium_memzero(der, sizeof(der));
	return done;
}

/* The key pair that a seed makes. */
static void expand(struct signer *signer, const unsigned char seed[KEY_SIZE])
{
	unsigned char public[PUBLIC_KEY_SIZE];

	crypto_sign_ed25519_seed_keypair(public, signer->secret, seed);
	sodium_bin2hex(signer->public_hex, sizeof(signer->public_hex), public, sizeof(public));
}

int signer_open(const char *file, struct signer **ret, struct error *err)
{
	AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	AUTO_FILE FILE *stream = NULL;
	unsigned char seed[KEY_SIZE];
	struct signer *signer;
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) < 0)
		return error_set(err, errno, "cannot read the key '%s'", file);
	if (!S_ISREG(stat.st_mode) || stat.st_nlink > 1)
		return error_set(err, 0, "the key '%s' is no file, or has another name (hard link)",
				 file);
	stream = fdopen(fd, "r");
	if (!stream)
		return error_set(err, ENOMEM, "cannot read the key '%s'", file);
	fd = -1;
	setvbuf(stream, NULL, _IONBF, 0); /* no copy of the key stays behind */
	if (sodium_init() < 0 || !read_key(stream, &secret_form, seed))
		return error_set(err, 0, "'%s' is no Ed25519 key that can be read without a passphrase",
				 file);
	signer = calloc(1, sizeof(*signer));
	if (signer)
		expand(signer, seed);
	sodium_memzero(seed, sizeof(seed));
	if (!signer)
		return error_set(err, ENOMEM, "cannot read the key '%s'", file);
	*ret = signer;
	return 0;
}

void signer_close(struct signer *signer)
{
	if (!signer)
		return;
	sodium_memzero(signer, sizeof(*signer));
	free(signer);
}

const char *signer_public(const struct signer *signer)
{
	return signer->public_hex;
}

/* What is signed, of *ret_len bytes (free()); NULL when memory is out. */
static unsigned char *compose(const char *line, size_t len, const char *prev, size_t *ret_len)
{
	unsigned char *message = malloc(PREFIX_LEN + len);

	if (!message)
		return NULL;
	memcpy(message, HEADING, HEADING_LEN);
	memcpy(message + HEADING_LEN, prev, DIGEST_HEX_SIZE - 1);
	message[PREFIX_LEN - 1] = '\n';
	memcpy(message + PREFIX_LEN, line, len);
	*ret_len = PREFIX_LEN + len;
	return message;
}

int signer_sign(const struct signer *signer, struct emitter *line, const char prev[DIGEST_HEX_SIZE])
{
	unsigned char bytes[SIGNATURE_SIZE];
	char hex[SIGNATURE_HEX_SIZE];
	size_t len;
	AUTO_FREE unsigned char *message =
		line->failed ? NULL : compose(line->data, line->len, prev, &len);

	if (!message || crypto_sign_ed25519_detached(bytes, NULL, message, len, signer->secret) != 0)
		return -EIO;
	sodium_bin2hex(hex, sizeof(hex), bytes, sizeof(bytes));
	emit_raw(line, SIGNATURE_KEY, sizeof(SIGNATURE_KEY) - 1);
	emit_raw(line, hex, sizeof(hex) - 1);
	emit_raw(line, "\"", 1);
	return line->failed ? -EIO : 0;
}

bool signature_find(const char *line, size_t body)
{
	return body > FIELD_LEN &&
	       !memcmp(line + body - FIELD_LEN, SIGNATURE_KEY, sizeof(SIGNATURE_KEY) - 1);
}

bool signature_holds(const char *line, size_t body, const char *prev,
		     const char public_key[PUBLIC_KEY_HEX_SIZE])
{
	const char *hex = line + body - FIELD_LEN + sizeof(SIGNATURE_KEY) - 1;
	unsigned char bytes[SIGNATURE_SIZE];
	unsigned char key_bytes[PUBLIC_KEY_SIZE];
	size_t len;
	AUTO_FREE unsigned char *message = compose(line, body - FIELD_LEN, prev, &len);

	return message && sodium_init() >= 0 && from_hex(hex, sizeof(bytes), bytes) &&
	       from_hex(public_key, sizeof(key_bytes), key_bytes) &&
	       crypto_sign_ed25519_verify_detached(bytes, message, len, key_bytes) == 0;
}

/* ---------------------------------------------------------------------------- keys */

static FILE *create(const char *file, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && !stream)
		close(fd);
	return stream;
}

static int write_pair(const char *file, const char *public_file, const unsigned char seed[KEY_SIZE],
		      const unsigned char public_key[KEY_SIZE], struct error *err)
{
	FILE *secret = create(file, 0600);
	FILE *public;
	bool done;

	if (!secret)
		return error_set(err, errno, "cannot make the key '%s'", file);
	public = create(public_file, 0644);
	if (!public) {
		error_set(err, errno, "cannot make the key '%s'", public_file);
		fclose(secret);
		unlink(file);
		return -1;
	}
	done = write_key(secret, &secret_form, seed) && write_key(public, &public_form, public_key);
	done = fclose(secret) == 0 && done;
	done = fclose(public) == 0 && done;
	if (done)
		return 0;
	unlink(file);
	unlink(public_file);
	return error_set(err, EIO, "cannot write the key '%s'", file);
}

int signer_make_key(const char *file, char ret_public[PUBLIC_KEY_HEX_SIZE], struct error *err)
{
	AUTO_FREE char *public_file = NULL;
	unsigned char public_key[KEY_SIZE];
	unsigned char seed[KEY_SIZE];
	struct signer signer;
	int r;

	if (asprintf(&public_file, "%s.pub", file) < 0) {
		public_file = NULL;
		return error_set(err, ENOMEM, "key");
	}
	if (sodium_init() < 0)
		return error_set(err, EIO, "cannot make a key");
	randombytes_buf(seed, sizeof(seed));
	expand(&signer, seed);
	crypto_sign_ed25519_sk_to_pk(public_key, signer.secret);
	memcpy(ret_public, signer.public_hex, PUBLIC_KEY_HEX_SIZE);
	r = write_pair(file, public_file, seed, public_key, err);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(&signer, sizeof(signer));
	return r;
}

int signer_read_public(const char *text, char ret[PUBLIC_KEY_HEX_SIZE], struct error *err)
{
	unsigned char bytes[PUBLIC_KEY_SIZE];
	AUTO_FILE FILE *stream = NULL;

	if (strlen(text) == PUBLIC_KEY_HEX_SIZE - 1 && from_hex(text, sizeof(bytes), bytes)) {
		memcpy(ret, text, PUBLIC_KEY_HEX_SIZE);
		return 0;
	}
	stream = fopen(text, "re");
	if (!stream)
		return error_set(err, errno, "cannot read the key '%s'", text);
	if (!read_key(stream, &public_form, bytes))
		return error_set(err, 0, "'%s' is no public Ed25519 key", text);
	sodium_bin2hex(ret, PUBLIC_KEY_HEX_SIZE, bytes, sizeof(bytes));
	return 0;
}
