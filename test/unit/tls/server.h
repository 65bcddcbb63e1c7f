/*
 * The other side: the library's own TLS server, in memory or behind a socket.
 */
#ifndef UNIT_TLS_SERVER_H
#define UNIT_TLS_SERVER_H

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <bearssl.h>

#include "../base/cm.h"
#include "certs.h"

enum tls_cert { CERT_GOOD, CERT_RSA, CERT_WEAK, CERT_EXPIRED, CERT_FUTURE, CERT_STRANGER };

struct tls_server {
	br_ssl_server_context sc;
	br_x509_certificate chain;
	uint8_t buf[BR_SSL_BUFSIZE_BIDI];
};

#define RSA_KEY(of, bits) \
	{ bits, (uint8_t *)key_##of##_p, sizeof(key_##of##_p), (uint8_t *)key_##of##_q, \
		sizeof(key_##of##_q), (uint8_t *)key_##of##_dp, sizeof(key_##of##_dp), \
		(uint8_t *)key_##of##_dq, sizeof(key_##of##_dq), (uint8_t *)key_##of##_iq, \
		sizeof(key_##of##_iq) }

/* A server that shows this certificate; the caller may change its profile, then calls tls_server_go. */
static inline void tls_server_init(struct tls_server *s, enum tls_cert cert)
{
	static const br_ec_private_key ec = { BR_EC_secp256r1, (uint8_t *)key_ec, sizeof(key_ec) };
	static const br_rsa_private_key rsa = RSA_KEY(rsa, 2048), weak = RSA_KEY(weak, 1024);
	static const struct {
		const uint8_t *p;
		size_t n;
	} certs[] = { { cert_good, sizeof(cert_good) }, { cert_rsa, sizeof(cert_rsa) },
		{ cert_weak, sizeof(cert_weak) }, { cert_expired, sizeof(cert_expired) },
		{ cert_future, sizeof(cert_future) }, { cert_stranger, sizeof(cert_stranger) } };
	uint8_t seed[32] = { 1, 2, 3 };

	s->chain = (br_x509_certificate){ (uint8_t *)certs[cert].p, certs[cert].n };
	if (cert == CERT_RSA || cert == CERT_WEAK)
		br_ssl_server_init_full_rsa(&s->sc, &s->chain, 1, cert == CERT_RSA ? &rsa : &weak);
	else
		br_ssl_server_init_full_ec(&s->sc, &s->chain, 1, BR_KEYTYPE_EC, &ec);
	br_ssl_engine_set_buffer(&s->sc.eng, s->buf, sizeof(s->buf), 1);
	br_ssl_engine_inject_entropy(&s->sc.eng, seed, sizeof(seed));
}

static inline void tls_server_go(struct tls_server *s)
{
	assert_int_equal(br_ssl_server_reset(&s->sc), 1);
}

/* ---- behind a socket, for one connection ---- */

static inline int tls_sock_read(void *ctx, unsigned char *p, size_t n)
{
	ssize_t k = read(*(int *)ctx, p, n);

	return k > 0 ? (int)k : -1;
}

static inline int tls_sock_write(void *ctx, const unsigned char *p, size_t n)
{
	ssize_t k = send(*(int *)ctx, p, n, MSG_NOSIGNAL);

	return k > 0 ? (int)k : -1;
}

/* Shake hands on a connected, blocking fd, read a request's head into `request`, answer, and close: with the
 * goodbye or without it. Does not close fd. 0, or -1. */
static inline int tls_serve(int fd, enum tls_cert cert, char *request, size_t size, const char *reply,
    int goodbye)
{
	static struct tls_server s;
	br_sslio_context io;
	size_t n = 0;
	int k;

	tls_server_init(&s, cert);
	if (!br_ssl_server_reset(&s.sc))
		return -1;
	br_sslio_init(&io, &s.sc.eng, tls_sock_read, &fd, tls_sock_write, &fd);
	request[0] = '\0';
	while (strstr(request, "\r\n\r\n") == NULL) {
		if (n + 1 >= size || (k = br_sslio_read(&io, request + n, size - 1 - n)) <= 0)
			return -1;
		n += (size_t)k;
		request[n] = '\0';
	}
	if (br_sslio_write_all(&io, reply, strlen(reply)) < 0 || br_sslio_flush(&io) < 0)
		return -1;
	if (goodbye)
		br_sslio_close(&io);
	return 0;
}

/* The root, as a file: for SSL_CERT_FILE. */
static inline void tls_write_root(const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(cert_root_pem, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

#endif
