/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/chain.h"
#include "audit/reader.h"
#include "core/cleanup.h"

enum { HEX_LEN = DIGEST_HEX_SIZE - 1 };

/* What is known when a line is looked at. */
struct verifier {
	struct reader reader;
	char before[DIGEST_HEX_SIZE]; /* hash of the line before the last good one */
	char last[DIGEST_HEX_SIZE];   /* hash of the last good line */
	char *session;                /* of the last good line; NULL before the first */
	uint64_t seq;                 /* of the last good line */
	bool ended;                   /* the last good line is an `end` */
};

/* The fields that the chain is made of. */
struct place {
	const char *event;
	const char *session;
	uint64_t seq;
};

static bool find_place(const json_t *record, struct place *ret)
{
	const json_t *seq = json_object_get(record, "seq");

	ret->event = json_string_value(json_object_get(record, "event"));
	ret->session = json_string_value(json_object_get(record, "session"));
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
	uint64_t number = v->reader.number;
	bool same = v->session && !strcmp(v->session, place->session);

	if (number == 1)
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

static int check_place(struct verifier *v, const struct chain_link *link, const struct place *place,
		       uint64_t *ret_line, struct error *err)
{
	bool starts = !strcmp(place->event, "start");
	bool same = v->session && !strcmp(v->session, place->session);

	if (memcmp(link->prev, v->last, HEX_LEN) != 0)
		return broken_link(v, link, place, ret_line, err);
	if (starts && place->seq == 1)
		return 0;
	if (!same || v->ended)
		return bad(v->reader.number, ret_line, err,
			   "was added: it belongs to no session that goes on here");
	if (starts || place->seq != v->seq + 1)
		return bad(v->reader.number, ret_line, err, "has the wrong number (seq)");
	return 0;
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
	const struct reader *reader = &v->reader;
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
	if (r == 0 && remember(v, &link, &place) < 0)
		r = error_set(err, ENOMEM, "cannot verify the log");
	json_decref(record);
	return r;
}

static int check_lines(struct verifier *v, const char *file, uint64_t *ret_line, struct error *err)
{
	int r;

	while ((r = reader_next(&v->reader)) > 0) {
		r = check_line(v, ret_line, err);
		if (r != 0)
			return r;
	}
	if (r < 0)
		return error_set(err, -r, "cannot read '%s'", file);
	*ret_line = v->reader.number;
	if (err)
		*err = (struct error){0};
	if (v->reader.number > 0 && !v->ended)
		error_set(err, 0,
			  "the last session has no end record: it still runs, or was killed, or "
			  "lines were removed from the end");
	return 0;
}

int audit_verify(const char *file, uint64_t *ret_line, struct error *err)
{
	struct verifier v = {.before = "", .last = CHAIN_FIRST};
	int r;

	r = reader_open(&v.reader, file, err);
	if (r == 0)
		r = check_lines(&v, file, ret_line, err);
	reader_close(&v.reader);
	free(v.session);
	return r;
}
