/*
 * Is a GraphQL request free of side effects? (GraphQL, October 2021, §2: only the document's definitions are
 * looked at.) Pure.
 */
#ifndef GITHUB_GRAPHQL_H
#define GITHUB_GRAPHQL_H

#include <stdbool.h>

#include "base/str.h"

/*
 * `body` is the POST's JSON. True only if it is one object with one string member `query`, whose definitions
 * are all queries or fragments. In doubt (batches, duplicate members, mutations, subscriptions, schema
 * definitions, anything unbalanced) false: the request passes through.
 */
bool graphql_is_query(struct span body);

#endif
