/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "core/cleanup.h"
#include "core/digest.h"
#include "policy/diagnostics.h"
#include "policy/private.h"
#include "policy/canonical.h"
#include "policy/nearest.h"

enum { POLICY_SIZE_MAX = 1024 * 1024, EXTENDS_DEPTH_MAX = 16, DOCUMENTS_MAX = 256 };

/* ---------------------------------------------------------------------- faults */

void loader_fault(struct loader *loader, const struct document *document, const struct node *node,
		  const char *format, ...)
{
	AUTO_FREE char *message = NULL;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&message, format, args);
	va_end(args);
	if (len < 0) {
		message = NULL;
		memory_exhausted();
	}
	diagnostics_add(loader->diagnostics, document->file, node->line, node->column, "%s",
			message);
	diagnostics_set_width(loader->diagnostics, node->width);
}

void loader_expected(struct loader *loader, const struct document *document,
		     const struct node *node, const char *expected)
{
	loader_fault(loader, document, node, "expected %s, found %s", expected,
		     node_describe(loader->memory, node));
}

bool loader_scalar(struct loader *loader, const struct document *document,
		   const struct node *node, const char *expected)
{
	if (node->kind == NODE_SCALAR && !node_is_nothing(node))
		return true;
	loader_expected(loader, document, node, expected);
	return false;
}

/* ----------------------------------------------------------------- reading files */

/* One name of a policy, looked up. */
struct opened {
	const char *file;     /* for messages */
	const char *identity; /* equal for equal files */
	const char *folder;
	const char *text;     /* NULL: `wrong` says why */
	size_t len;
	const char *wrong;
	unsigned int line;    /* where that is: 0: the file as a whole */
	const struct opened *parent; /* what extends it */
};

static const char *read_all(struct memory *memory, int fd, struct opened *ret)
{
	AUTO_FREE char *buffer = malloc(POLICY_SIZE_MAX + 1);
	size_t len = 0;

	if (!buffer)
		memory_exhausted();
	while (len <= POLICY_SIZE_MAX) {
		ssize_t got = read(fd, buffer + len, POLICY_SIZE_MAX + 1 - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return memory_printf(memory, "cannot read it: %s", strerror(errno));
		if (got == 0)
			break;
		len += (size_t)got;
	}
	if (len > POLICY_SIZE_MAX) {
		ret->line = 1;
		return "the file is larger than 1 MiB, the most that a policy may have";
	}
	ret->text = memory_strndup(memory, buffer, len);
	ret->len = len;
	return NULL;
}

/* A FIFO is fine ("-p <(generate)"); the open itself must not hang on one. */
static const char *read_file(struct memory *memory, const char *path, struct opened *ret)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return memory_printf(memory, "cannot read it: %s", strerror(errno));
	if (S_ISDIR(st.st_mode))
		return "this is a folder; expected a policy file";
	if (fcntl(fd, F_SETFL, 0) < 0)
		return memory_printf(memory, "cannot read it: %s", strerror(errno));
	return read_all(memory, fd, ret);
}

static char *folder_of(struct memory *memory, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return memory_strdup(memory, ".");
	return memory_strndup(memory, path, slash == path ? 1 : (size_t)(slash - path));
}

static const char *absolute(struct loader *loader, const char *path)
{
	char reached[PATH_MAX];
	const char *from = path;

	if (*path != '/')
		from = memory_printf(loader->memory, "%s/%s",
				     loader->context->cwd ? loader->context->cwd : "/", path);
	if (canonical_path(from, CANONICAL_FOLLOW, reached) < 0)
		return from;
	return memory_strdup(loader->memory, reached);
}

static void open_file(struct loader *loader, const char *path, struct opened *ret)
{
	ret->file = memory_strdup(loader->memory, path);
	ret->identity = absolute(loader, path);
	ret->folder = absolute(loader, folder_of(loader->memory, path));
	ret->wrong = read_file(loader->memory, path, ret);
}

static bool is_file_name(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') || (len > 5 && !strcmp(name + len - 5, ".yaml")) ||
	       (len > 4 && !strcmp(name + len - 4, ".yml"));
}

static bool open_user_profile(struct loader *loader, const char *name, struct opened *ret)
{
	const char *path;

	if (!loader->context->profile_dir || !*name || *name == '.')
		return false;
	path = memory_printf(loader->memory, "%s/%s.yaml", loader->context->profile_dir, name);
	if (access(path, F_OK) < 0)
		return false;
	open_file(loader, path, ret);
	return true;
}

static const char builtin_prefix[] = "profile:";

static bool open_builtin_profile(struct loader *loader, const char *name, struct opened *ret)
{
	const char *text = policy_profile_text(name);

	if (!text)
		return false;
	ret->file = memory_printf(loader->memory, "%s%s", builtin_prefix, name);
	ret->identity = ret->file;
	ret->folder = loader->context->cwd ? loader->context->cwd : "/";
	ret->text = text;
	ret->len = strlen(text);
	return true;
}

static const char *no_such_profile(struct memory *memory, const char *wanted)
{
	struct nearest nearest = {.wanted = wanted};
	const char *list = "";

	for (const char *const *name = policy_profile_names(); *name; name++) {
		nearest_offer(&nearest, *name);
		list = memory_printf(memory, "%s%s%s", list, *list ? ", " : "", *name);
	}
	if (nearest.best)
		return memory_printf(memory, "no profile and no file has this name; did you mean '%s'?",
				     nearest.best);
	return memory_printf(memory, "no profile and no file has this name; the profiles are %s", list);
}

/* `base`: folder (as written) that a file counts from; NULL: the current one. */
static void open_policy(struct loader *loader, const char *name, const char *base,
			struct opened *ret)
{
	bool is_file = is_file_name(name);
	const char *path = name;

	if (!is_file && (open_user_profile(loader, name, ret) ||
			 open_builtin_profile(loader, name, ret)))
		return;
	if (base && *name != '/' && strcmp(base, ".") != 0)
		path = memory_printf(loader->memory, "%s/%s", base, name);
	open_file(loader, path, ret);
	if (ret->wrong && !is_file && access(path, F_OK) < 0)
		ret->wrong = no_such_profile(loader->memory, name);
}

/* --------------------------------------------------------------------- documents */

static bool remember(struct loader *loader, const char *identity)
{
	for (size_t i = 0; i < loader->identity_count; i++)
		if (!strcmp(loader->identities[i], identity))
			return false;
	*memory_push(loader->memory, loader->identities, loader->identity_count) = identity;
	return true;
}

static void add_source(struct loader *loader, const struct opened *opened)
{
	struct policy *policy = loader->policy;
	char hex[DIGEST_HEX_SIZE];
	struct policy_source *source;

	if (digest_hex(opened->text, opened->len, hex) < 0) {
		diagnostics_add(loader->diagnostics, opened->file, 0, 0,
				"cannot compute its SHA-256");
		return;
	}
	source = memory_push(loader->memory, policy->sources, policy->source_count);
	source->file = opened->file;
	source->sha256 = memory_strdup(loader->memory, hex);
	source->text = opened->text;
	source->len = opened->len;
}

/* Parses what was opened; what it extends is loaded, and so merged, before it. */
static void load_opened(struct loader *loader, const struct opened *opened)
{
	struct document *document;

	if (!remember(loader, opened->identity))
		return;
	document = memory_alloc(loader->memory, sizeof(*document));
	document->file = opened->file;
	document->folder = opened->folder;
	document->root = document_parse(loader->memory, opened->file, opened->text, opened->len,
					loader->diagnostics);
	if (document->root) {
		loader->opened = opened;
		schema_apply(loader, document, PASS_EARLY);
		loader->opened = opened->parent;
		*memory_push(loader->memory, loader->documents, loader->document_count) = document;
	}
	add_source(loader, opened);
}

/* "a.yaml -> b.yaml -> a.yaml" when `opened` is one of those that led to it. */
static const char *find_loop(struct loader *loader, const struct opened *opened)
{
	const char *loop = opened->file;
	unsigned int depth = 0;

	for (const struct opened *at = loader->opened; at; at = at->parent) {
		loop = memory_printf(loader->memory, "%s -> %s", at->file, loop);
		if (!strcmp(at->identity, opened->identity))
			return memory_printf(loader->memory, "extends loops: %s", loop);
		if (++depth >= EXTENDS_DEPTH_MAX)
			return "extends goes too deep (more than 16 files)";
	}
	return NULL;
}

/* Variables in a name of `extends` are those built in, and `~`. */
static const char *extended_name(struct loader *loader, const struct document *document,
				 const struct node *entry)
{
	const char *name = loader_expand(loader, document, entry, 0, EXPAND_PLAIN);

	if (!name || strncmp(name, "~/", 2) != 0)
		return name;
	if (loader->context->home)
		return memory_printf(loader->memory, "%s%s", loader->context->home, name + 1);
	loader_fault(loader, document, entry, "'~' has no meaning, as HOME is not set");
	return NULL;
}

void loader_extend(struct loader *loader, const struct document *document,
		   const struct node *entry)
{
	const char *base = policy_is_builtin(document->file)
				   ? NULL
				   : folder_of(loader->memory, document->file);
	const char *name = extended_name(loader, document, entry);
	struct opened opened = {.parent = loader->opened};
	const char *wrong;

	if (!name)
		return;
	open_policy(loader, name, base, &opened);
	wrong = opened.wrong ? memory_printf(loader->memory, "cannot extend '%s': %s", opened.file,
					     opened.wrong)
			     : find_loop(loader, &opened);
	if (!wrong && loader->identity_count >= DOCUMENTS_MAX)
		wrong = "too many policies are extended (more than 256)";
	if (wrong)
		loader_fault(loader, document, entry, "%s", wrong);
	else
		load_opened(loader, &opened);
}

static void load_all(struct loader *loader, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct opened opened = {.parent = NULL};

		open_policy(loader, names[i], NULL, &opened);
		if (opened.wrong)
			diagnostics_add(loader->diagnostics, opened.file, opened.line, opened.line,
					"%s", opened.wrong);
		else
			load_opened(loader, &opened);
	}
	loader_check_variables(loader);
	for (size_t i = 0; i < loader->document_count; i++)
		schema_apply(loader, loader->documents[i], PASS_LATE);
}

int policy_load(const char *const *names, size_t count, const struct policy_context *context,
		struct policy **ret, struct diagnostics *diagnostics)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	size_t faults = diagnostics->count;
	struct memory scratch = {NULL, NULL, 0};
	struct loader loader = {
		.policy = policy,
		.context = context,
		.diagnostics = diagnostics,
	};

	if (!policy)
		memory_exhausted();
	loader.memory = &policy->memory;
	policy->ruleset.memory = &policy->memory;
	loader.cache = canonical_cache_new(&scratch);
	load_all(&loader, names, count);
	memory_free(&scratch);
	if (diagnostics->count > faults) {
		diagnostics_sort(diagnostics);
		for (size_t i = 0; i < policy->source_count; i++)
			diagnostics_quote(diagnostics, policy->sources[i].file,
					  policy->sources[i].text, policy->sources[i].len);
		policy_free(policy);
		return -EINVAL;
	}
	*ret = policy;
	return 0;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	memory_free(&policy->memory);
	free(policy);
}

bool policy_is_builtin(const char *file)
{
	return !strncmp(file, builtin_prefix, strlen(builtin_prefix));
}

size_t policy_sources(const struct policy *policy, const struct policy_source **ret)
{
	*ret = policy->sources;
	return policy->source_count;
}

size_t policy_pending(const struct policy *policy, const struct policy_pending **ret)
{
	*ret = policy->pending;
	return policy->pending_count;
}
