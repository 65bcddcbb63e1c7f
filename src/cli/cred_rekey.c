#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/cred_sub.h"
#include "cred/rekey.h"
#include "cred/vault.h"

/* Where it is, unless --to says another place. What others keep (a named file, a systemd credential) we
 * cannot move. */
static int choose(const struct cred *c, enum masterkey_source *to, struct err *err)
{
	static const struct {
		const char *word;
		enum masterkey_source source;
	} words[] = { { "file", MASTERKEY_FILE }, { "keyring", MASTERKEY_RING },
		{ "passphrase", MASTERKEY_PASS } };
	enum masterkey_source now = c->vault->source;

	for (size_t i = 0; c->o->to != NULL && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(c->o->to, words[i].word) == 0) {
			*to = words[i].source;
			return 0;
		}
	if (c->o->to != NULL)
		return err_set(err, ERR_USAGE, "--to takes file, keyring or passphrase, not '%s'", c->o->to);
	*to = now == MASTERKEY_MADE ? MASTERKEY_FILE : now;
	/* what the kernel remembers is the key of one of these */
	if (now == MASTERKEY_CACHE)
		*to = file_is_there(c->vault->dirfd, ".passphrase") ? MASTERKEY_PASS : MASTERKEY_RING;
	if (now == MASTERKEY_NAMED || now == MASTERKEY_SYSTEMD)
		return err_set(err, ERR_USAGE,
		    "the key comes from the %s; say where the new one goes with --to", masterkey_name(now));
	return 0;
}

static int rekey(struct cred *c, enum masterkey_source *from, enum masterkey_source *to, struct err *err)
{
	int rc = cred_open(c, true, cred_existing, err);

	if (rc == 0 && !c->vault->exists)
		rc = err_set(err, ERR_NOTFOUND, "there are no credentials in %s to rekey", c->dir);
	/* once: opened again, its key may come from the kernel's keyring */
	if (rc == 0 && *to == MASTERKEY_NONE) {
		*from = c->vault->source;
		rc = choose(c, to, err);
	}
	return rc != 0 ? rc : rekey_to(c->vault, *to, err);
}

int cred_rekey_run(struct cred *c, struct err *err)
{
	struct audit_event e = { .action = "rekey", .credential = span_of("") };
	enum masterkey_source from = MASTERKEY_NONE, to = MASTERKEY_NONE;
	struct buf details;
	int rc;

	do
		rc = rekey(c, &from, &to, err);
	while (rc != 0 && cred_asked(c, err));
	if (rc == 0) {
		buf_init(&details, AUDIT_LINE_MAX);
		audit_detail(&details, "from", span_of(masterkey_name(from)));
		audit_detail(&details, "to", span_of(masterkey_name(to)));
		e.details = buf_span(&details);
		rc = vault_note(c->vault, &e, err);
		buf_free(&details);
	}
	if (rc != 0)
		return cred_exit_code(err);
	printf("%zu credentials are under a new key: %s\n", c->vault->set.n, masterkey_name(to));
	if (from == MASTERKEY_NAMED || from == MASTERKEY_SYSTEMD)
		printf("the old key (%s) opens nothing any more; take it away\n", masterkey_name(from));
	if (from == MASTERKEY_RING && to != MASTERKEY_RING &&
	    masterkey_ring_whose(&c->vault->p.place, NULL) != MASTERKEY_RING_NONE)
		printf("the old key stays in the keyring: it was not put there by this store, and others may "
		       "be under it\n");
	return XC_OK;
}
