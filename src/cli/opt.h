/*
 * Command-line options from tables: the parser, `help`, the man page and the completions are made from the
 * same rows.
 *
 * Long options take "--name value" or "--name=value", short ones "-x value" or "-xvalue"; "--" ends them;
 * they may stand before or after the operands. A single-valued option given twice is an error.
 */
#ifndef CLI_OPT_H
#define CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum opt_kind {
	OPT_FLAG,		/* bool */
	OPT_TEXT,		/* const char * */
	OPT_SECONDS,		/* int64_t: "300", "5m" */
	OPT_LIST		/* struct opt_list: may be repeated, order is kept; rows may share one list */
};

struct opt {
	const char *name;	/* "cache-dir" */
	char letter;		/* 'X', or 0 */
	enum opt_kind kind;
	const char *arg;	/* "DIR", NULL for flags */
	size_t at;		/* offset in the values struct */
	const char *help;	/* one sentence without a full stop */
};

#define OPT_LIST_MAX 64
struct opt_list {
	size_t n;
	struct {
		const struct opt *opt;
		const char *value;
	} item[OPT_LIST_MAX];
};

#define OPT_ARGS_MAX 1024	/* `cred exec` takes a whole command */
struct opt_args {
	size_t n;
	const char *arg[OPT_ARGS_MAX];	/* operands */
};

struct opt_set {
	const struct opt *opts;		/* ends with name == NULL */
	void *values;
};

/* Parse argv[0..argc) against the sets in order. int64_t values must be set to OPT_UNSET before. ERR_USAGE
 * with a sentence. */
#define OPT_UNSET INT64_MIN
int opt_parse(int argc, char **argv, const struct opt_set *sets, size_t nsets, struct opt_args *,
    struct err *);

#endif
