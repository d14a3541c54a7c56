/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/blocked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An insertion that finds no memory must not end the supervisor: see insert(). */
#define HASH_NONFATAL_OOM 1

#define uthash_nonfatal_oom(entry) ((entry)->item = NULL)
#include <uthash.h>

#include "core/cleanup.h"

enum { TARGET_MAX = 8192 };

/* Key: a struct key, followed by target, rule's file and detail, each with its NUL. */
struct key {
	uint32_t class;
	uint32_t op;
	uint32_t observed;
	uint32_t killed;
	uint32_t rule_line; /* 0: no rule */
};

struct blocked_entry {
	UT_hash_handle hh;
	struct audit_blocked *item;
	char key[];
};

/* What was asked for; in `buf` if it takes more than one field to say it. */
static const char *target_of(const struct audit_record *record, char buf[TARGET_MAX])
{
	if (record->path)
		return record->path;
	if (record->endpoint && record->host && !strstr(record->endpoint, record->host)) {
		snprintf(buf, TARGET_MAX, "%s (%s)", record->endpoint, record->host);
		return buf;
	}
	if (record->endpoint)
		return record->endpoint;
	if (record->host)
		return record->host;
	/* A kernel door is known by its name, a file or program by what the tool wrote. */
	if (record->class != CLASS_SYSTEM && record->arg && record->arg_len == 0)
		return record->arg;
	return record->syscall ? record->syscall : access_op_name(record->op);
}

static struct blocked_entry *make_entry(const struct audit_record *record, size_t *ret_len)
{
	const struct rule_source *rule = record->verdict.rule;
	char buf[TARGET_MAX];
	const char *target = target_of(record, buf);
	const char *file = rule ? rule->file : "";
	const char *detail = record->detail ? record->detail : "";
	size_t target_size = strlen(target) + 1;
	size_t file_size = strlen(file) + 1;
	size_t detail_size = strlen(detail) + 1;
	const struct key head = {
		.class = record->class,
		.op = record->op,
		.observed = record->event == EVENT_WOULD_BLOCK,
		.killed = record->verdict.decision == DECISION_KILL,
		.rule_line = rule ? rule->line : 0,
	};
	struct blocked_entry *entry;
	char *at;

	*ret_len = sizeof(head) + target_size + file_size + detail_size;
	entry = malloc(sizeof(*entry) + *ret_len);
	if (!entry)
		return NULL;
	at = mempcpy(entry->key, &head, sizeof(head));
	at = mempcpy(at, target, target_size);
	at = mempcpy(at, file, file_size);
	memcpy(at, detail, detail_size);
	return entry;
}

static void release_item(struct audit_blocked *item)
{
	free(item->target);
	free(item->rule_file);
	free(item->rule_text);
	free(item->detail);
	free(item->remedy);
	free(item->exe);
	*item = (struct audit_blocked){0};
}

/* Copies `text`, which may be NULL, to *ret; false when there is no memory. */
static bool copy_text(char **ret, const char *text)
{
	*ret = text ? strdup(text) : NULL;
	return *ret || !text;
}

static bool fill_item(struct audit_blocked *item, const struct audit_record *record)
{
	const struct rule_source *rule = record->verdict.rule;
	const char *remedy = record->remedy && *record->remedy ? record->remedy : NULL;
	char buf[TARGET_MAX];

	*item = (struct audit_blocked){
		.class = record->class,
		.op = record->op,
		.observed = record->event == EVENT_WOULD_BLOCK,
		.killed = record->verdict.decision == DECISION_KILL,
		.rule_line = rule ? rule->line : 0,
		.count = 1,
	};
	if (copy_text(&item->target, target_of(record, buf)) &&
	    copy_text(&item->rule_file, rule ? rule->file : NULL) &&
	    copy_text(&item->rule_text, rule ? rule->text : NULL) &&
	    copy_text(&item->detail, record->detail) && copy_text(&item->remedy, remedy) &&
	    copy_text(&item->exe, record->actor ? record->actor->exe : NULL))
		return true;
	release_item(item);
	return false;
}

/* Each class has its share, and the rest is for any. */
static bool has_room(const struct blocked_set *set, enum access_class class)
{
	size_t beyond = 0;

	for (size_t i = 0; i < CLASS_COUNT; i++) {
		if (set->of_class[i] > AUDIT_BLOCKED_SHARE)
			beyond += set->of_class[i] - AUDIT_BLOCKED_SHARE;
	}
	return set->of_class[class] < AUDIT_BLOCKED_SHARE ||
	       beyond < AUDIT_BLOCKED_MAX - CLASS_COUNT * AUDIT_BLOCKED_SHARE;
}

static bool insert(struct blocked_set *set, struct blocked_entry *entry, size_t key_len,
		   const struct audit_record *record)
{
	if (!has_room(set, record->class))
		return false;
	/* All at once: the array never moves, so that a reader may keep a pointer to it. */
	if (!set->items)
		set->items = calloc(AUDIT_BLOCKED_MAX, sizeof(*set->items));
	if (!set->items || !fill_item(&set->items[set->count], record))
		return false;
	entry->item = &set->items[set->count];
	HASH_ADD_KEYPTR(hh, set->index, entry->key, key_len, entry);
	if (!entry->item) {
		release_item(&set->items[set->count]);
		return false;
	}
	set->count++;
	set->of_class[record->class]++;
	return true;
}

void blocked_add(struct blocked_set *set, const struct audit_record *record)
{
	AUTO_FREE struct blocked_entry *entry = NULL;
	struct blocked_entry *known = NULL;
	size_t key_len;

	set->total += record->event == EVENT_BLOCKED;
	entry = make_entry(record, &key_len);
	if (!entry) {
		set->other++;
		return;
	}
	HASH_FIND(hh, set->index, entry->key, key_len, known);
	if (known)
		known->item->count++;
	else if (insert(set, entry, key_len, record))
		entry = NULL; /* the table has it */
	else
		set->other++;
}

void blocked_free(struct blocked_set *set)
{
	struct blocked_entry *entry;
	struct blocked_entry *next;

	HASH_ITER (hh, set->index, entry, next) {
		HASH_DEL(set->index, entry);
		free(entry);
	}
	for (size_t i = 0; i < set->count; i++)
		release_item(&set->items[i]);
	free(set->items);
	*set = (struct blocked_set){0};
}
