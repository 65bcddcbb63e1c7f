/*
 * Heads of answers, parsed from text. Good until the next call.
 */
#ifndef UNIT_GITHUB_HEADS_H
#define UNIT_GITHUB_HEADS_H

#include <string.h>

#include "../base/cm.h"
#include "http/parse.h"

/* `fields` are whole lines, each with its CRLF. */
static inline const struct http_head *head_of(int status, const char *fields)
{
	static char text[HTTP_HEAD_MAX];
	static struct http_head h;
	const char *why = NULL;
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %d Words\r\n%s\r\n", status, fields);

	assert_true(n > 0 && (size_t)n < sizeof(text));
	assert_int_equal(http_parse_response(text, (size_t)n, &h, &why), n);
	return &h;
}

#endif
