/*
 * github/fields: the first byte chooses the operation, the rest is the body. What comes out is canonical JSON
 * already, and nothing does on failure.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jcanon.h"
#include "base/jscan.h"
#include "github/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const ops[] = {
	"list_repos",
	"get_repo_info",
	"list_workflows",
	"get_workflow_runs",
	"list_runners",
	"get_runner_status",
	"list_issues",
	"list_pull_requests",
	"get_comment",
	"list_commits",
	"list_releases",
	"list_branches",
	"list_tags",
	"list_deployments",
	"list_checks",
	"copilot_completion",
	"other",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out, again;

	if (size == 0)
		return 0;
	struct span op = span_of(ops[data[0] % (sizeof ops / sizeof ops[0])]),
		    body = span_make(data + 1, size - 1);
	buf_init(&out, BUF_MAX_ANY);
	buf_init(&again, BUF_MAX_ANY);
	int r = fields_of(op, body, &out);
	assert(r == 1 || r == 0 || r == ERR_PROTO || r == ERR_LIMIT);
	if (r == 1) {
		assert(jscan_valid(body) && jcanon(buf_span(&out), &again) == 0);
		assert(span_same(buf_span(&out), buf_span(&again)));
	} else
		assert(buf_len(&out) == 0);
	if (r == ERR_PROTO)
		assert(!jscan_valid(body));
	buf_free(&out);
	buf_free(&again);
	return 0;
}
