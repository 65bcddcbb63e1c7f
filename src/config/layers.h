/*
 * The settings in force, and where each came from: flags > environment > cache-config.yml > p2p-config.yml >
 * /etc/ghoard > defaults.
 *
 * /etc/ghoard/{cache,p2p}-config.yml is the host owner's: it stands below the checkout's files for ordinary
 * keys, but a `trust` key takes from the checkout only what is stricter than it. A loosening in the checkout,
 * an unable or a fixed key is one warning. Unknown keys, wrong types and values out of bounds are errors that
 * name file, line, column and the nearest known key; so is broken YAML, and a file in the checkout that is a
 * symbolic link. A file that is not there is fine. An empty variable is unset, a null in a file leaves the
 * setting to the layers below, a list replaces the whole list below it.
 */
#ifndef CONFIG_LAYERS_H
#define CONFIG_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct settings;

struct settings_params {
	const char *config_dir;		/* ".github" */
	const char *host_dir;		/* "/etc/ghoard" */
	const char *(*env)(const char *name);	/* NULL: getenv */
	void (*warn)(const char *sentence);	/* NULL: nobody is told */
	const char *const *only;	/* what keys begin with, a NULL at the end; NULL: all keys */
};

/* Read all layers. 0 and *out to be freed; ERR_CONFIG or ERR_INTERNAL. */
int settings_load(const struct settings_params *, struct settings **out, struct err *);
void settings_free(struct settings *);

/* A command-line flag: beats all layers; checked like a value in a file. `flag` is what origins show
 * ("--cache-dir"). */
int settings_override(struct settings *, const char *key, const char *value, const char *flag, struct err *);

/* Values, valid while the settings live and are not overridden. The key must be in the table (asserted). */
bool settings_bool(const struct settings *, const char *key);
int64_t settings_int(const struct settings *, const char *key);		/* also seconds and bytes */
/* "~/" at the front is expanded, and in a default "~/.cache/" to XDG_CACHE_HOME; NULL: there is no home
 * folder to expand it to (neither HOME nor a row in passwd). */
const char *settings_str(const struct settings *, const char *key);
size_t settings_list(const struct settings *, const char *key, const char *const **items);
/* The value as it was written, for display: lists with commas, a password in a URL as "***". */
const char *settings_text(const struct settings *, const char *key);

/* "default", "environment CACHE_DIR", ".github/cache-config.yml:3", "--cache-dir". */
const char *settings_origin(const struct settings *, const char *key);
/* Does the value come from a file in config_dir? What it names (bootstrap peers) earns no trust by it. */
bool settings_from_checkout(const struct settings *, const char *key);

#endif
