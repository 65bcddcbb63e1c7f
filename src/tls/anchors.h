/*
 * Trust anchors from the system's CA bundle, loaded in slices: 144 certificates take 37 ms, which no loop may
 * spend in one go.
 *
 * Where they come from: `ca_file` (SSL_CERT_FILE) and `ca_dir` (SSL_CERT_DIR, folders separated by ':') when
 * either is set, and then nothing else; otherwise the first that exists of the usual bundles of Debian,
 * Alpine, RHEL, SUSE, then /etc/ssl/certs as a folder. Certificates with keys BearSSL does not know are
 * skipped. There is no way to ask for no anchors.
 */
#ifndef TLS_ANCHORS_H
#define TLS_ANCHORS_H

#include <stddef.h>

struct anchors;
struct err;

#define ANCHORS_SLICE 12	/* certificates: about 3 ms */

/* Find and read the sources. ERR_DENIED: no CA bundle was found, or it cannot be read (the sentence names
 * SSL_CERT_FILE). */
int anchors_new(const char *ca_file, const char *ca_dir, struct anchors **, struct err *);
void anchors_free(struct anchors *);

/* Load up to `max` certificates more: 1 there is more, 0 all are loaded, ERR_DENIED: over, and not one
 * certificate was usable. */
int anchors_step(struct anchors *, unsigned max, struct err *);

size_t anchors_count(const struct anchors *);
/* What was read, for messages: "/etc/ssl/certs/ca-certificates.crt". */
const char *anchors_source(const struct anchors *);

#endif
