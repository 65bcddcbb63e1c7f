#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bearssl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "tls/anchors.h"
#include "tls/anchors_bearssl.h"

#define BUNDLE_MAX ((size_t)8 << 20)
#define CERT_MAX ((size_t)32 << 10)
#define SOURCE_MAX 512

static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",			/* Debian, Alpine, Arch */
	"/etc/pki/tls/certs/ca-bundle.crt",			/* RHEL, Fedora */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",	/* RHEL 7 and later */
	"/etc/ssl/ca-bundle.pem",				/* SUSE */
	"/etc/ssl/cert.pem"					/* Alpine without ca-certificates, BSD */
};

struct anchors {
	struct buf text;		/* all PEM files, one after the other, each with a newline added */
	size_t at;			/* parsed so far */
	br_pem_decoder_context pem;
	bool in_cert;
	struct buf der, dn;
	br_x509_trust_anchor *list;
	uint64_t *seen; /* a hash of each certificate in list: a bundle and its folder hold the same ones */
	size_t n, cap;
	char source[SOURCE_MAX];
};

static int read_bundle(struct anchors *a, const char *path, struct err *err)
{
	struct buf file;
	struct span rest, line;
	int rc;

	buf_init(&file, BUNDLE_MAX);
	rc = file_read(path, BUNDLE_MAX, true, &file, err);
	rest = buf_span(&file);
	/* The decoder knows no CRLF, and a last line without an end would leave its certificate unfinished.
	 */
	while (rc == 0 && span_cut(&rest, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		buf_addspan(&a->text, line);
		buf_addc(&a->text, '\n');
	}
	buf_free(&file);
	return rc;
}

/* c_rehash folders hold each certificate twice: as a file and as hash links to it, which are skipped when
 * they point beside. */
static bool is_hash_link(const char *dir, const char *name)
{
	struct span s = span_of(name);
	char path[SOURCE_MAX], target[SOURCE_MAX];
	ssize_t n;

	if (s.n < 10 || s.p[8] != '.' ||
	    (size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return false;
	n = readlink(path, target, sizeof(target));
	return n > 0 && memchr(target, '/', (size_t)n) == NULL;
}

static void read_folder(struct anchors *a, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[SOURCE_MAX];

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || is_hash_link(dir, e->d_name))
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) < sizeof(path))
			read_bundle(a, path, NULL);	/* one unreadable file does not spoil the rest */
	}
	closedir(d);
}

static int read_given(struct anchors *a, const char *ca_file, const char *ca_dir, struct err *err)
{
	struct span rest = span_of(ca_dir), dir;
	char path[SOURCE_MAX];
	int rc;

	if (ca_file != NULL) {
		rc = read_bundle(a, ca_file, err);
		if (rc != 0) {
			err_prefix(err, "the CA bundle that SSL_CERT_FILE names");
			if (err != NULL)
				err->cls = ERR_DENIED;
			return ERR_DENIED;
		}
	}
	while (span_cut(&rest, ':', &dir))
		if (span_copy(path, sizeof(path), dir) && path[0] != '\0')
			read_folder(a, path);
	snprintf(a->source, sizeof(a->source), "%s", ca_file != NULL ? ca_file : ca_dir);
	return 0;
}

static void read_system(struct anchors *a)
{
	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
		if (read_bundle(a, bundles[i], NULL) != 0)
			continue;
		snprintf(a->source, sizeof(a->source), "%s", bundles[i]);
		return;
	}
	read_folder(a, "/etc/ssl/certs");
	snprintf(a->source, sizeof(a->source), "/etc/ssl/certs");
}

int anchors_new(const char *ca_file, const char *ca_dir, struct anchors **out, struct err *err)
{
	struct anchors *a = calloc(1, sizeof(*a));
	int rc = 0;

	if (a == NULL)
		return err_set(err, ERR_INTERNAL, "no memory for the CA bundle");
	buf_init(&a->text, 2 * BUNDLE_MAX);
	buf_init(&a->der, CERT_MAX);
	buf_init(&a->dn, CERT_MAX);
	br_pem_decoder_init(&a->pem);
	if (ca_file != NULL || ca_dir != NULL)
		rc = read_given(a, ca_file, ca_dir, err);
	else
		read_system(a);
	if (rc == 0 && buf_len(&a->text) == 0)
		rc = err_set(err, ERR_DENIED,
		    "no CA bundle was found, so no certificate can be checked; install ca-certificates or "
		    "set SSL_CERT_FILE");
	if (rc != 0) {
		anchors_free(a);
		return rc;
	}
	*out = a;
	return 0;
}

void anchors_free(struct anchors *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->n; i++)
		free(a->list[i].dn.data);	/* one block an anchor: name and key */
	free(a->list);
	free(a->seen);
	buf_free(&a->text);
	buf_free(&a->der);
	buf_free(&a->dn);
	free(a);
}

static void append_der(void *arg, const void *p, size_t n)
{
	buf_add(arg, p, n);
}

static void append_dn(void *arg, const void *p, size_t n)
{
	buf_add(arg, p, n);
}

static void copy_key(br_x509_pkey *to, const br_x509_pkey *from, unsigned char *room)
{
	*to = *from;
	if (from->key_type == BR_KEYTYPE_RSA) {
		to->key.rsa.n = room;
		to->key.rsa.e = room + from->key.rsa.nlen;
		memcpy(to->key.rsa.n, from->key.rsa.n, from->key.rsa.nlen);
		memcpy(to->key.rsa.e, from->key.rsa.e, from->key.rsa.elen);
	} else {
		to->key.ec.q = room;
		memcpy(to->key.ec.q, from->key.ec.q, from->key.ec.qlen);
	}
}

static size_t key_size(const br_x509_pkey *k)
{
	return k->key_type == BR_KEYTYPE_RSA ? k->key.rsa.nlen + k->key.rsa.elen : k->key.ec.qlen;
}

static int grow(struct anchors *a)
{
	size_t cap = a->cap == 0 ? 160 : a->cap * 2;
	br_x509_trust_anchor *list;
	uint64_t *seen;

	if (a->n < a->cap)
		return 0;
	list = realloc(a->list, cap * sizeof(*list));
	if (list == NULL)
		return -1;
	a->list = list;
	seen = realloc(a->seen, cap * sizeof(*seen));
	if (seen == NULL)
		return -1;
	a->seen = seen;
	a->cap = cap;
	return 0;
}

/* Decoding costs 0.25 ms, so a certificate that is there already is found before. */
static bool is_new(const struct anchors *a, uint64_t *mark)
{
	uint8_t digest[SHA256_LEN];

	hash_sha256(digest, buf_data(&a->der), buf_len(&a->der));
	memcpy(mark, digest, sizeof(*mark));
	for (size_t i = 0; i < a->n; i++)
		if (a->seen[i] == *mark)
			return false;
	return true;
}

/* The certificate in a->der becomes an anchor, if its key is of a kind that can verify. */
static void add_anchor(struct anchors *a)
{
	uint64_t mark;
	br_x509_decoder_context dc;
	br_x509_trust_anchor *ta;
	const br_x509_pkey *key;
	unsigned char *block;

	if (!is_new(a, &mark))
		return;
	buf_clear(&a->dn);
	br_x509_decoder_init(&dc, append_dn, &a->dn);
	br_x509_decoder_push(&dc, buf_data(&a->der), buf_len(&a->der));
	key = br_x509_decoder_get_pkey(&dc);
	if (key == NULL || a->dn.failed || grow(a) != 0)
		return;
	block = malloc(buf_len(&a->dn) + key_size(key) + 1);
	if (block == NULL)
		return;
	memcpy(block, buf_data(&a->dn), buf_len(&a->dn));
	a->seen[a->n] = mark;
	ta = &a->list[a->n++];
	ta->dn.data = block;
	ta->dn.len = buf_len(&a->dn);
	ta->flags = br_x509_decoder_isCA(&dc) ? BR_X509_TA_CA : 0;
	copy_key(&ta->pkey, key, block + ta->dn.len);
}

/* 1: a certificate has ended (usable or not). */
static int on_pem_event(struct anchors *a, int event)
{
	switch (event) {
	case BR_PEM_BEGIN_OBJ:
		a->in_cert = strcmp(br_pem_decoder_name(&a->pem), "CERTIFICATE") == 0 ||
		    strcmp(br_pem_decoder_name(&a->pem), "X509 CERTIFICATE") == 0;
		buf_free(&a->der);
		br_pem_decoder_setdest(&a->pem, a->in_cert ? append_der : NULL, &a->der);
		return 0;
	case BR_PEM_END_OBJ:
		if (!a->in_cert || a->der.failed)
			return 0;
		add_anchor(a);
		return 1;
	default:		/* BR_PEM_ERROR: the object is dropped, the decoder looks for the next */
		a->in_cert = false;
		return 0;
	}
}

int anchors_step(struct anchors *a, unsigned max, struct err *err)
{
	unsigned seen = 0;

	while (a->at < buf_len(&a->text) && seen < max) {
		int event;

		a->at += br_pem_decoder_push(&a->pem, buf_data(&a->text) + a->at, buf_len(&a->text) - a->at);
		event = br_pem_decoder_event(&a->pem);
		if (event != 0)
			seen += (unsigned)on_pem_event(a, event);
	}
	if (a->at < buf_len(&a->text))
		return 1;
	buf_free(&a->text);
	a->at = 0;
	if (a->n == 0)
		return err_set(err, ERR_DENIED,
		    "%s holds no CA certificate that can be used; set SSL_CERT_FILE", a->source);
	return 0;
}

size_t anchors_count(const struct anchors *a)
{
	return a->n;
}

const char *anchors_source(const struct anchors *a)
{
	return a->source;
}

const br_x509_trust_anchor *anchors_list(const struct anchors *a, size_t *n)
{
	*n = a->n;
	return a->list;
}
