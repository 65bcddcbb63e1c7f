/*
 * Every setting ghoard knows, one row each: the parser, `config show`, the man page and the warnings are made
 * from it.
 *
 * A row names the key in cache-config.yml or p2p-config.yml (dotted, without the file), the environment
 * variables that set it in order of precedence, its type, default and bounds, whether a checkout may loosen
 * it (`trust`), and whether ghoard honours it.
 */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
	SET_BOOL,		/* true/false, yes/no, on/off, 1/0 */
	SET_INT,
	SET_SECONDS,		/* "300" or "5m" */
	SET_BYTES,		/* "16777216" or "16MiB" */
	SET_STRING,
	SET_LIST		/* of strings; in the environment separated by commas */
};

enum setting_file {
	SETF_CACHE,
	SETF_P2P,
	SETF_BOTH,
	SETF_NONE
}; /* cache-config.yml, p2p-config.yml, environment only */

/* What a checkout's file may do to a `trust` setting: only make it stricter. */
enum setting_trust {
	TRUST_FREE,  /* the checkout may set it */
	TRUST_LOWER, /* only to a smaller number, to false, to an earlier word of one_of, to a list with no
			new item */
	TRUST_TRUE,  /* only to true, or to a list that lacks no item */
	TRUST_HOME,  /* a folder: only below HOME and outside the checkout, whose files a pull request can
			forge */
	TRUST_NEVER  /* not at all */
};

enum setting_state {
	SETS_WORKS,
	SETS_FIXED, /* cannot be changed (encryption, hash checks): another value is one warning */
	SETS_UNABLE /* known from the reference, cannot be honoured: a bool is false whatever stands there,
		     * and true in a file is one warning; of another type, so is anything but the default */
};

struct setting {
	const char *key;	/* "cache.max_size" */
	enum setting_file file;
	enum setting_type type;
	const char *dflt;	/* as it would be written; lists with commas; "" is none */
	int64_t min, max;	/* of SET_INT, SET_SECONDS, SET_BYTES */
	enum setting_trust trust;
	enum setting_state state;
	const char *env[3];	/* highest first; NULL-terminated */
	const char *one_of;	/* "all|random|closest" or NULL */
	const char *help;	/* one sentence, for the man page */
};

const struct setting *table_find(const char *key);
const struct setting *table_nearest(const char *key);	/* for "did you mean"; NULL: nothing is near */
const struct setting *table_at(size_t i);		/* in file order; NULL past the end */
bool table_is_section(const char *key);			/* "cache", "network.listen": has settings below it */

#endif
