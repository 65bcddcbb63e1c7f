/*
 * What killed writes left in a credential folder: temporary files of ours, sealed but for a key's own.
 *
 * Called under the folder's lock, where nobody else writes the store or a key. The log's key is looked after
 * where the log's lock is free; the memory of answers, which readers write without either, goes once it is an
 * hour old. Names of others are left alone.
 */
#ifndef CRED_SWEEP_H
#define CRED_SWEEP_H

/* Overwrite and remove them. What cannot be removed stays. */
void sweep_folder(int dirfd);

#endif
