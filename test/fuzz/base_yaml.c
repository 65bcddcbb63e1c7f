/*
 * YAML: rows are within the limits the header gives, and the scalars of a file, written again as quoted
 * strings under their dotted keys, are read as the same rows.
 */
/* max_len: 65536 */
#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* json_quote writes what YAML reads too, except for pairs of surrogates. */
static bool writable(const struct yaml_row *r)
{
	struct buf b;

	for (const char *p = r->value; *p; p++)
		if ((uint8_t)*p >= 0xf0)
			return false;
	for (const char *p = r->key; *p; p++)
		if ((uint8_t)*p >= 0xf0)
			return false;
	buf_init(&b, BUF_MAX_ANY);
	json_quote(&b, span_of(r->key), true);
	size_t n = buf_len(&b);
	buf_free(&b);
	/* A key is found within 1024 characters. */
	return r->item == -2 && n < 1000;
}

static void write_again(const struct yaml_rows *y)
{
	struct yaml_rows again;
	size_t k = 0;
	struct buf b;

	buf_init(&b, YAML_FILE_MAX);
	for (size_t i = 0; i < y->n; i++) {
		if (!writable(&y->rows[i]))
			continue;
		json_quote(&b, span_of(y->rows[i].key), true);
		buf_adds(&b, ": ");
		json_quote(&b, span_of(y->rows[i].value), true);
		buf_addc(&b, '\n');
	}
	if (!b.failed) {
		assert(yaml_parse(buf_span(&b), "again", &again, NULL) == 0);
		for (size_t i = 0; i < y->n; i++) {
			if (!writable(&y->rows[i]))
				continue;
			assert(k < again.n && again.rows[k].quoted &&
			    strcmp(again.rows[k].key, y->rows[i].key) == 0);
			assert(strcmp(again.rows[k++].value, y->rows[i].value) == 0);
		}
		assert(k == again.n);
		yaml_rows_free(&again);
	}
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct yaml_rows y;
	struct err e;

	err_init(&e);
	if (yaml_parse(span_make(data, size), "f", &y, &e) < 0) {
		assert(e.cls == ERR_CONFIG && e.msg[0] == 'f' && y.n == 0 && !y.rows);
		return 0;
	}
	for (size_t i = 0; i < y.n; i++) {
		const struct yaml_row *r = &y.rows[i];
		assert(r->key[0] && strlen(r->key) < 256 && r->line >= 1 && r->column >= 1 && r->item >= -2);
		assert(!(r->null && (r->quoted || r->value[0])) && span_utf8(span_of(r->value)));
		assert(r->item <= 0 || (i > 0 && y.rows[i - 1].item == r->item - 1));
	}
	write_again(&y);
	yaml_rows_free(&y);
	return 0;
}
