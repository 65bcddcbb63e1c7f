/*
 * A store that is not the one of the log's newest line: the reference's work on that one, or an older one?
 *
 * Who has no key can only put old files back. Those that we wrote or noted are known by their SHA-256. Any
 * other is the reference's, which leaves alone what it does not store, rotate or remove itself: a record
 * whose binding fits must be the good copy's, and what is not bound younger than all of that. So no old value
 * comes back, though the highest generation may be gone with its record. A damaged one is not handed out.
 */
#ifndef CRED_FOREIGN_H
#define CRED_FOREIGN_H

#include <stdbool.h>

struct vault;

/* A line of the log has the store's hash. */
bool foreign_is_known(const struct vault *);
/* For one of a lower generation: it is made of the newest, and all of the log is there to say so. */
bool foreign_follows(const struct vault *);

#endif
