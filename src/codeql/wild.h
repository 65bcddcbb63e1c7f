/*
 * Patterns of gitignore(5) and gitattributes(5): `*` and `?` stop at '/', a component `**` takes any number
 * of components, `[…]` a character, a backslash the next one as it is.
 *
 * A pattern without '/' (but for one at its end) is matched with the last component, any other with the whole
 * path below the pattern's folder.
 */
#ifndef CODEQL_WILD_H
#define CODEQL_WILD_H

#include <stdbool.h>

#include "base/str.h"

enum wild_answer { WILD_NO, WILD_YES, WILD_UNSURE };	/* unsure: it would take too long to know, or
						   two stars in a component, where gits differ */

struct wild {
	struct span pattern;		/* borrowed, without a leading and a trailing '/' */
	bool last;			/* of the last component alone */
	bool suffix;			/* '*' and no other special character: compare the end */
	bool folder;			/* it ended with '/' */
};

/* False: not a pattern (empty). */
bool wild_init(struct wild *, struct span pattern);
/* `path` is below the pattern's folder. */
enum wild_answer wild_match(const struct wild *, struct span path);

#endif
