/*
 * The validity period of an X.509 certificate (RFC 5280 §4.1.2.5), cut out of its DER. BearSSL says only that
 * a certificate is outside its period; a person wants to know on which side.
 */
#ifndef TLS_VALIDITY_H
#define TLS_VALIDITY_H

#include <stdbool.h>

#include "base/str.h"

#define VALIDITY_LEN 14		/* "YYYYMMDDhhmmss", UTC: compares as text */

struct validity {
	char not_before[VALIDITY_LEN + 1];
	char not_after[VALIDITY_LEN + 1];
};

/* false: not the front part of a certificate in DER. */
bool validity_parse(struct span der, struct validity *);

#endif
