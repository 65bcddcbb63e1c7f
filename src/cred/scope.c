#include <stddef.h>

#include "cred/scope.h"

static const char *const names[] = { [SCOPE_GLOBAL] = "global",
	[SCOPE_REPO] = "repo",
	[SCOPE_WORKFLOW] = "workflow",
	[SCOPE_RUNNER] = "runner" };

const char *scope_name(enum scope s)
{
	return names[s];
}

bool scope_parse(struct span text, enum scope *s)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq(text, names[i])) {
			*s = (enum scope)i;
			return true;
		}
	return false;
}

struct span scope_own(enum scope s, const struct scope_caller *c)
{
	switch (s) {
	case SCOPE_GLOBAL:
		break;
	case SCOPE_REPO:
		return c->repo;
	case SCOPE_WORKFLOW:
		return c->workflow;
	case SCOPE_RUNNER:
		return c->runner;
	}
	return span_make("", 0);
}

bool scope_match(enum scope s, struct span filter, const struct scope_caller *c)
{
	struct span own = scope_own(s, c);

	return s == SCOPE_GLOBAL || (own.n > 0 && span_same(own, filter));
}

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool scope_name_ok(struct span name)
{
	if (name.n == 0 || name.n > SCOPE_NAME_MAX || !is_letter(name.p[0]))
		return false;
	for (size_t i = 1; i < name.n; i++)
		if (!is_letter(name.p[i]) && (name.p[i] < '0' || name.p[i] > '9'))
			return false;
	return true;
}
