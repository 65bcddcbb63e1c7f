#include "base/buf.h"
#include "p2p/protobuf.h"

#define VARINT_LONGEST 10

enum { TYPE_VARINT = 0, TYPE_FIXED64 = 1, TYPE_BYTES = 2, TYPE_FIXED32 = 5 };

/* Not base/varint: other writers' negative numbers take ten bytes, and longer forms than needed are allowed.
 */
static bool take_varint(struct span *rest, uint64_t *v)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < VARINT_LONGEST && i < rest->n; i++) {
		uint8_t b = (uint8_t)rest->p[i];

		sum |= (uint64_t)(b & 0x7f) << 7 * i;
		if (b & 0x80)
			continue;
		*v = sum;
		*rest = span_sub(*rest, i + 1, rest->n);
		return true;
	}
	return false;
}

static bool take_bytes(struct span *rest, uint64_t n, struct span *out)
{
	if (n > rest->n)
		return false;
	*out = span_sub(*rest, 0, (size_t)n);
	*rest = span_sub(*rest, (size_t)n, rest->n);
	return true;
}

int protobuf_next(struct span *rest, struct protobuf_field *f)
{
	uint64_t tag, n;

	if (rest->n == 0)
		return 0;
	if (!take_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
		return -1;
	*f = (struct protobuf_field){ .number = (uint32_t)(tag >> 3), .kind = PROTOBUF_OTHER };
	switch (tag & 7) {
	case TYPE_VARINT:
		f->kind = PROTOBUF_VARINT;
		return take_varint(rest, &f->value) ? 1 : -1;
	case TYPE_BYTES:
		f->kind = PROTOBUF_BYTES;
		return take_varint(rest, &n) && take_bytes(rest, n, &f->bytes) ? 1 : -1;
	case TYPE_FIXED64:
		return take_bytes(rest, 8, &f->bytes) ? 1 : -1;
	case TYPE_FIXED32:
		return take_bytes(rest, 4, &f->bytes) ? 1 : -1;
	}
	return -1;
}

static void put_varint(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_addc(b, (char)(v | 0x80));
	buf_addc(b, (char)v);
}

void protobuf_put_varint(struct buf *b, uint32_t number, uint64_t value)
{
	put_varint(b, (uint64_t)number << 3 | TYPE_VARINT);
	put_varint(b, value);
}

void protobuf_put_bytes(struct buf *b, uint32_t number, struct span value)
{
	put_varint(b, (uint64_t)number << 3 | TYPE_BYTES);
	put_varint(b, value.n);
	buf_addspan(b, value);
}
