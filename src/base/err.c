#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

void err_init(struct err *e)
{
	e->cls = 0;
	e->retry_s = 0;
	e->msg[0] = '\0';
}

int err_set(struct err *e, int cls, const char *fmt, ...)
{
	if (!e || e->cls)
		return cls;
	int saved = errno;
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(e->msg, sizeof e->msg, fmt, ap) < 0)
		e->msg[0] = '\0';
	va_end(ap);
	e->cls = cls;
	errno = saved;
	return cls;
}

int err_sys(struct err *e, int cls, const char *fmt, ...)
{
	if (!e || e->cls)
		return cls;
	int saved = errno;
	char why[128];
	/* The cause is worth more than the end of a long path: it gets its room first. */
	int n = snprintf(why, sizeof why, ": %s", strerror(saved));
	size_t room = sizeof e->msg - (n > 0 ? (size_t)n : 0);
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(e->msg, room, fmt, ap) < 0)
		e->msg[0] = '\0';
	va_end(ap);
	size_t len = strlen(e->msg);
	snprintf(e->msg + len, sizeof e->msg - len, "%s", why);
	e->cls = cls;
	errno = saved;
	return cls;
}

void err_prefix(struct err *e, const char *fmt, ...)
{
	if (!e || !e->cls)
		return;
	int saved = errno;
	char old[ERR_MSG_MAX];
	memcpy(old, e->msg, sizeof old);
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(e->msg, sizeof e->msg, fmt, ap) < 0)
		e->msg[0] = '\0';
	va_end(ap);
	size_t len = strlen(e->msg);
	snprintf(e->msg + len, sizeof e->msg - len, ": %s", old);
	errno = saved;
}
