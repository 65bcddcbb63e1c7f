/*
 * Bodies that peers are sent from files, piece by piece as they take them: what is large is neither read nor
 * held for them. One descriptor a file, however many take it. Whether a body is what its CID says is for them
 * to check, who would have to all the same.
 */
#ifndef CLI_P2P_FILES_H
#define CLI_P2P_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct swarm_held;

/* Takes `fd`, also when it fails; the image is copied. The body is `n` bytes from `at` on. */
bool p2p_files_hold(int fd, struct span image, uint64_t at, uint64_t n, struct swarm_held *);
void p2p_files_release(struct swarm_held *);

#endif
