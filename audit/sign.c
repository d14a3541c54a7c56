/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cleanup.h"

#define HEADING       "proctor audit 1\n"
#define SIGNATURE_KEY ",\"signature\":\""

enum {
	SIGNATURE_SIZE = 64,
	PUBLIC_KEY_SIZE = 32,
	FIELD_LEN = sizeof(SIGNATURE_KEY) - 1 + SIGNATURE_HEX_SIZE - 1 + 1, /* and the quote */
	HEADING_LEN = sizeof(HEADING) - 1,
	PREFIX_LEN = HEADING_LEN + DIGEST_HEX_SIZE - 1 + 1,
};

struct signer {
	EVP_PKEY *key;
	char public_hex[PUBLIC_KEY_HEX_SIZE];
};

static void to_hex(const unsigned char *bytes, size_t len, char *ret)
{
	for (size_t i = 0; i < len; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

static bool from_hex(const char *hex, size_t len, unsigned char *ret)
{
	for (size_t i = 0; i < len; i++) {
		unsigned int byte;

		if (strspn(hex + 2 * i, "0123456789abcdef") < 2 ||
		    sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		ret[i] = (unsigned char)byte;
	}
	return true;
}

static bool get_public(const EVP_PKEY *key, char ret[PUBLIC_KEY_HEX_SIZE])
{
	unsigned char bytes[PUBLIC_KEY_SIZE];
	size_t len = sizeof(bytes);

	if (!key || EVP_PKEY_id(key) != EVP_PKEY_ED25519 ||
	    EVP_PKEY_get_raw_public_key(key, bytes, &len) != 1 || len != sizeof(bytes))
		return false;
	to_hex(bytes, sizeof(bytes), ret);
	return true;
}

int signer_open(const char *file, struct signer **ret, struct error *err)
{
	AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	AUTO_FILE FILE *stream = NULL;
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
	signer = calloc(1, sizeof(*signer));
	if (!signer)
		return error_set(err, ENOMEM, "cannot read the key '%s'", file);
	signer->key = PEM_read_PrivateKey(stream, NULL, NULL, NULL);
	if (!get_public(signer->key, signer->public_hex)) {
		signer_close(signer);
		return error_set(err, 0, "'%s' is no Ed25519 key that can be read without a passphrase",
				 file);
	}
	*ret = signer;
	return 0;
}

void signer_close(struct signer *signer)
{
	if (!signer)
		return;
	EVP_PKEY_free(signer->key);
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
	size_t size = sizeof(bytes);
	size_t len;
	AUTO_FREE unsigned char *message =
		line->failed ? NULL : compose(line->data, line->len, prev, &len);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const bool done = message && context &&
			  EVP_DigestSignInit(context, NULL, NULL, NULL, signer->key) == 1 &&
			  EVP_DigestSign(context, bytes, &size, message, len) == 1;

	EVP_MD_CTX_free(context);
	if (!done)
		return -EIO;
	to_hex(bytes, sizeof(bytes), hex);
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
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *key = NULL;
	bool holds = false;

	if (message && context && from_hex(hex, sizeof(bytes), bytes) &&
	    from_hex(public_key, sizeof(key_bytes), key_bytes))
		key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key_bytes,
						  sizeof(key_bytes));
	if (key)
		holds = EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
			EVP_DigestVerify(context, bytes, sizeof(bytes), message, len) == 1;
	EVP_PKEY_free(key);
	EVP_MD_CTX_free(context);
	return holds;
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

static int write_pair(const char *file, const char *public_file, EVP_PKEY *key, struct error *err)
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
	done = PEM_write_PKCS8PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1 &&
	       PEM_write_PUBKEY(public, key) == 1;
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
	EVP_PKEY_CTX *context = NULL;
	EVP_PKEY *key = NULL;
	int r;

	if (asprintf(&public_file, "%s.pub", file) < 0) {
		public_file = NULL;
		return error_set(err, ENOMEM, "key");
	}
	context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
	if (context && EVP_PKEY_keygen_init(context) == 1)
		EVP_PKEY_keygen(context, &key);
	EVP_PKEY_CTX_free(context);
	r = get_public(key, ret_public) ? write_pair(file, public_file, key, err)
					: error_set(err, EIO, "cannot make a key");
	EVP_PKEY_free(key);
	return r;
}

int signer_read_public(const char *text, char ret[PUBLIC_KEY_HEX_SIZE], struct error *err)
{
	unsigned char bytes[PUBLIC_KEY_SIZE];
	AUTO_FILE FILE *stream = NULL;
	EVP_PKEY *key = NULL;
	bool done;

	if (strlen(text) == PUBLIC_KEY_HEX_SIZE - 1 && from_hex(text, sizeof(bytes), bytes)) {
		memcpy(ret, text, PUBLIC_KEY_HEX_SIZE);
		return 0;
	}
	stream = fopen(text, "re");
	if (!stream)
		return error_set(err, errno, "cannot read the key '%s'", text);
	key = PEM_read_PUBKEY(stream, NULL, NULL, NULL);
	done = get_public(key, ret);
	EVP_PKEY_free(key);
	return done ? 0 : error_set(err, 0, "'%s' is no public Ed25519 key", text);
}
