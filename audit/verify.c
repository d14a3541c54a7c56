/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/chain.h"
#include "audit/rotate.h"
#include "audit/sign.h"
#include "core/cleanup.h"

enum { HEX_LEN = DIGEST_HEX_SIZE - 1 };

/* What is known when a line is looked at. */
struct verifier {
	struct row_reader row;
	char removed[DIGEST_HEX_SIZE]; /* what the first line follows and is no longer there; or "" */
	bool removal_said;             /* a later record says that rotation removed it */
	char before[DIGEST_HEX_SIZE]; /* hash of the line before the last good one */
	char last[DIGEST_HEX_SIZE];   /* hash of the last good line */
	char *session;                /* of the last good line; NULL before the first */
	uint64_t seq;                 /* of the last good line */
	bool ended;                   /* the last good line is an `end` */
	const char *wanted;           /* the key that it must be signed with; NULL: any */
	char key[PUBLIC_KEY_HEX_SIZE]; /* of the session; "": it has none, or it is not known */
	bool started;                 /* the session's `start` was seen: `key` is known */
	uint64_t unsigned_lines;      /* since the last signature */
	bool unchecked;               /* signatures of a key that is not known */
};

/* The fields that the chain is made of. */
struct place {
	const char *event;
	const char *session;
	const char *detail; /* may be NULL */
	const char *public_key; /* may be NULL */
	uint64_t seq;
};

static bool find_place(const json_t *record, struct place *ret)
{
	const json_t *seq = json_object_get(record, "seq");

	ret->event = json_string_value(json_object_get(record, "event"));
	ret->session = json_string_value(json_object_get(record, "session"));
	ret->detail = json_string_value(json_object_get(record, "detail"));
	ret->public_key = json_string_value(json_object_get(record, "public_key"));
	ret->seq = (uint64_t)json_integer_value(seq);
	return ret->event && ret->session && json_is_integer(seq) && json_integer_value(seq) > 0;
}

static int bad(uint64_t line, uint64_t *ret_line, struct error *err, const char *what)
{
	*ret_line = line;
	error_set(err, 0, "line %" PRIu64 " %s", line, what);
	return 1;
}

/*
 * A whole, sound line that does not link to the one before: works out which of
 * the two does not belong, and how that came.
 */
static int broken_link(const struct verifier *v, const struct chain_link *link,
		       const struct place *place, uint64_t *ret_line, struct error *err)
{
	uint64_t number = v->row.reader.number;
	bool same = v->session && !strcmp(v->session, place->session);

	if (number == 1 && v->row.first)
		return bad(number, ret_line, err,
			   "is not the first record: lines before it were removed");
	if (!memcmp(link->prev, v->before, HEX_LEN))
		return bad(number - 1, ret_line, err,
			   "was added: the next line follows the line before it");
	if (same && place->seq == v->seq + 1)
		return bad(number - 1, ret_line, err,
			   "was changed, and its hash made anew: the next line names another");
	if (same && place->seq > v->seq + 1)
		return bad(number, ret_line, err,
			   "does not follow the line before it: lines between them were removed");
	return bad(number, ret_line, err,
		   "does not follow the line before it: it was added or moved, or lines between "
		   "them were removed");
}

/*
 * The first line of a row whose oldest files are gone is taken as it is. It is sound if one of the
 * records that follow says that rotation removed what stood before.
 */
static bool begins_shortened_row(struct verifier *v, const struct chain_link *link)
{
	if (!v->row.first || v->row.reader.number != 1 || !strcmp(v->row.name, v->row.file) ||
	    !memcmp(link->prev, CHAIN_FIRST, HEX_LEN))
		return false;
	memcpy(v->removed, link->prev, HEX_LEN);
	return true;
}

static void note_removal(struct verifier *v, const struct place *place)
{
	const size_t len = sizeof(ROTATION_REMOVED) - 1;

	if (v->removed[0] && place->detail && !strcmp(place->event, "limit") &&
	    !strncmp(place->detail, ROTATION_REMOVED, len) &&
	    !strcmp(place->detail + len, v->removed))
		v->removal_said = true;
}

static int check_place(struct verifier *v, const struct chain_link *link, const struct place *place,
		       uint64_t *ret_line, struct error *err)
{
	bool starts = !strcmp(place->event, "start");
	bool same = v->session && !strcmp(v->session, place->session);

	if (begins_shortened_row(v, link))
		return 0;
	if (memcmp(link->prev, v->last, HEX_LEN) != 0)
		return broken_link(v, link, place, ret_line, err);
	if (starts && place->seq == 1)
		return 0;
	if (!same || v->ended)
		return bad(v->row.reader.number, ret_line, err,
			   "was added: it belongs to no session that goes on here");
	if (starts || place->seq != v->seq + 1)
		return bad(v->row.reader.number, ret_line, err, "has the wrong number (seq)");
	return 0;
}

/* A session's first line says what key it is signed with. */
static int take_key(struct verifier *v, const struct place *place, uint64_t *ret_line,
		    struct error *err)
{
	const char *key = place->public_key ? place->public_key : "";

	v->started = true;
	v->unsigned_lines = 0;
	snprintf(v->key, sizeof(v->key), "%s", key);
	if (v->wanted && strcmp(key, v->wanted) != 0)
		return bad(v->row.reader.number, ret_line, err,
			   *key ? "begins a session that is signed with another key"
				: "begins a session that is not signed");
	return 0;
}

static int check_signature(struct verifier *v, const struct chain_link *link,
			   const struct place *place, uint64_t *ret_line, struct error *err)
{
	const struct reader *reader = &v->row.reader;
	const bool starts = !strcmp(place->event, "start");
	const bool is_signed = signature_find(reader->line, link->body);
	const char *key;

	if (starts && take_key(v, place, ret_line, err) > 0)
		return 1;
	key = v->wanted ? v->wanted : v->key;
	if (!is_signed) {
		v->unsigned_lines++;
		if (*key && (starts || !strcmp(place->event, "end")))
			return bad(reader->number, ret_line, err,
				   "is not signed: it was changed or added");
		return 0;
	}
	v->unsigned_lines = 0;
	if (!*key) {
		v->unchecked = true;
		return v->started ? bad(reader->number, ret_line, err,
					"is signed, and its session has no key")
				  : 0;
	}
	if (signature_holds(reader->line, link->body, link->prev, key))
		return 0;
	return bad(reader->number, ret_line, err,
		   "was changed: its signature is not one of the key");
}

static int remember(struct verifier *v, const struct chain_link *link, const struct place *place)
{
	char *session = strdup(place->session);

	if (!session)
		return -ENOMEM;
	free(v->session);
	v->session = session;
	v->seq = place->seq;
	v->ended = !strcmp(place->event, "end");
	memcpy(v->before, v->last, sizeof(v->before));
	memcpy(v->last, link->hash, HEX_LEN);
	return 0;
}

static int check_line(struct verifier *v, uint64_t *ret_line, struct error *err)
{
	const struct reader *reader = &v->row.reader;
	struct chain_link link;
	struct place place;
	json_t *record;
	int r;

	if (reader->torn)
		return bad(reader->number, ret_line, err,
			   "is torn: it was written only in part, or its end was removed");
	if (reader->too_long || !chain_find(reader->line, reader->len, &link))
		return bad(reader->number, ret_line, err,
			   "is not a record: it was added or changed");
	if (!chain_holds(reader->line, &link))
		return bad(reader->number, ret_line, err,
			   "was changed: its hash is not that of its bytes");
	record = reader_parse(reader->line, reader->len);
	if (!record || !find_place(record, &place)) {
		json_decref(record);
		return bad(reader->number, ret_line, err,
			   "is not a record: it was added or changed");
	}
	r = check_place(v, &link, &place, ret_line, err);
	if (r == 0)
		r = check_signature(v, &link, &place, ret_line, err);
	note_removal(v, &place);
	if (r == 0 && remember(v, &link, &place) < 0)
		r = error_set(err, ENOMEM, "cannot verify the log");
	json_decref(record);
	return r;
}

/* After the last line. */
static int check_end(struct verifier *v, uint64_t *ret_line, struct error *err)
{
	if (v->removed[0] && !v->removal_said)
		return bad(1, ret_line, err,
			   "of the oldest file is not the first record: lines before it were removed");
	if (err)
		*err = (struct error){0};
	if (*ret_line > 0 && !v->ended)
		error_set(err, 0,
			  "the last session has no end record: it still runs, or was killed, or "
			  "lines were removed from the end%s",
			  !*v->key && !v->wanted ? ""
			  : v->unsigned_lines	 ? "; those behind the last signature may be forged"
						 : "");
	else if (v->unchecked)
		error_set(err, 0, "the key of the oldest session is not in the log: say it with --key");
	else if (*v->key && !v->wanted)
		error_set(err, 0, "signed with the key %s: compare it, or say yours with --key", v->key);
	return 0;
}

static int check_lines(struct verifier *v, uint64_t *ret_line, struct error *err)
{
	uint64_t total = 0;
	int r;

	while ((r = row_next(&v->row)) > 0) {
		total++;
		r = check_line(v, ret_line, err);
		if (r == 0)
			continue;
		if (r > 0 && strcmp(v->row.name, v->row.file) != 0)
			error_prefix(err, "%s", basename(v->row.name));
		return r;
	}
	if (r < 0)
		return error_set(err, -r, "cannot read '%s'", v->row.name);
	*ret_line = total;
	return check_end(v, ret_line, err);
}

int audit_verify(const char *file, const char *public_key, uint64_t *ret_line, struct error *err)
{
	struct verifier v = {.before = "", .last = CHAIN_FIRST};
	char wanted[PUBLIC_KEY_HEX_SIZE];
	int r = public_key ? signer_read_public(public_key, wanted, err) : 0;

	if (r < 0)
		return r;
	if (public_key)
		v.wanted = wanted;
	r = row_open(&v.row, file, err);
	if (r == 0)
		r = check_lines(&v, ret_line, err);
	row_close(&v.row);
	free(v.session);
	return r;
}
