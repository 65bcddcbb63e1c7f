#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/cm.h"
#include "base/err.h"
#include "config/layers.h"

static char root[64];		/* of one test: root/home, root/repo/.github, root/etc */
static char config_dir[96], host_dir[96], home[96];

static const char *vars[16][2];
static size_t n_vars;

static char warnings[4096];
static unsigned n_warnings;

static const char *fake_env(const char *name)
{
	for (size_t i = 0; i < n_vars; i++)
		if (strcmp(vars[i][0], name) == 0)
			return vars[i][1];
	return NULL;
}

static void set_var(const char *name, const char *value)
{
	vars[n_vars][0] = name;
	vars[n_vars++][1] = value;
}

static void on_warning(const char *sentence)
{
	n_warnings++;
	strncat(warnings, sentence, sizeof warnings - strlen(warnings) - 1);
}

static void spill(const char *dir, const char *base, const char *text)
{
	char path[200];

	snprintf(path, sizeof path, "%s/%s", dir, base);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void cache_file(const char *text)
{
	spill(config_dir, "cache-config.yml", text);
}

static void p2p_file(const char *text)
{
	spill(config_dir, "p2p-config.yml", text);
}

static void host_file(const char *text)
{
	spill(host_dir, "cache-config.yml", text);
}

static int set_up(void **state)
{
	char path[128];

	(void)state;
	strcpy(root, "/tmp/ghoard-layers-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof path, "%s/repo", root);
	mkdir(path, 0700);
	snprintf(config_dir, sizeof config_dir, "%s/repo/.github", root);
	snprintf(host_dir, sizeof host_dir, "%s/etc", root);
	snprintf(home, sizeof home, "%s", root);
	mkdir(config_dir, 0700);
	mkdir(host_dir, 0700);
	n_vars = 0;
	set_var("HOME", home);
	warnings[0] = '\0';
	n_warnings = 0;
	return 0;
}

static int tear_down(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof cmd, "rm -rf %s", root);
	return system(cmd);
}

static struct settings *load(void)
{
	struct settings_params p = { config_dir, host_dir, fake_env, on_warning };
	struct settings *s;
	struct err e;

	err_init(&e);
	if (settings_load(&p, &s, &e) != 0)
		fail_msg("%s", e.msg);
	return s;
}

static void refused(const char *want)
{
	struct settings_params p = { config_dir, host_dir, fake_env, on_warning };
	struct settings *s;
	struct err e;

	err_init(&e);
	assert_int_equal(settings_load(&p, &s, &e), ERR_CONFIG);
	assert_null(s);
	if (!strstr(e.msg, want))
		fail_msg("'%s' is not in '%s'", want, e.msg);
}

static void warned(const char *want)
{
	if (n_warnings != 1 || !strstr(warnings, want))
		fail_msg("%u warnings: %s", n_warnings, warnings);
}

static void test_defaults(void **state)
{
	const char *const *items;

	(void)state;
	struct settings *s = load();
	assert_int_equal(settings_int(s, "cache.max_size"), 5000);
	assert_int_equal(settings_int(s, "cache.memory_bytes"), 32 << 20);
	assert_true(settings_bool(s, "p2p.enabled"));
	assert_false(settings_bool(s, "logging.log_messages"));
	assert_string_equal(settings_str(s, "cache_protocol.broadcast.strategy"), "all");
	assert_string_equal(settings_str(s, "daemon.socket"), "");
	assert_int_equal(settings_list(s, "p2p.bootstrap_peers", &items), 0);
	assert_int_equal(settings_list(s, "cache_protocol.message_types", &items), 4);
	assert_string_equal(items[3], "peer_info");
	assert_string_equal(settings_origin(s, "cache.max_size"), "default");
	assert_false(settings_from_checkout(s, "cache.max_size"));
	assert_int_equal(n_warnings, 0);
	settings_free(s);
	settings_free(NULL);
}

static void test_order(void **state)
{
	char origin[160];
	struct err e;

	(void)state;
	host_file("cache:\n  max_size: 1\n  default_ttl: 1\nmonitoring:\n  enabled: false\n");
	struct settings *s = load();
	assert_int_equal(settings_int(s, "cache.max_size"), 1);
	assert_false(settings_bool(s, "monitoring.enabled"));
	settings_free(s);
	p2p_file("monitoring:\n  enabled: yes\n");
	s = load();
	assert_true(settings_bool(s, "monitoring.enabled"));
	settings_free(s);
	cache_file("monitoring:\n  enabled: off\ncache:\n  max_size: 2\n  default_ttl: 5m\n");
	s = load();
	assert_false(settings_bool(s, "monitoring.enabled"));
	assert_int_equal(settings_int(s, "cache.max_size"), 2);
	assert_int_equal(settings_int(s, "cache.default_ttl"), 300);
	assert_string_equal(settings_text(s, "cache.default_ttl"), "5m");
	snprintf(origin, sizeof origin, "%s/cache-config.yml:4", config_dir);
	assert_string_equal(settings_origin(s, "cache.max_size"), origin);
	assert_true(settings_from_checkout(s, "cache.max_size"));
	settings_free(s);
	set_var("GITHUB_CACHE_SIZE", "3");
	set_var("CACHE_DEFAULT_TTL", "");
	s = load();
	assert_int_equal(settings_int(s, "cache.max_size"), 3);
	assert_int_equal(settings_int(s, "cache.default_ttl"), 300);
	assert_string_equal(settings_origin(s, "cache.max_size"), "environment GITHUB_CACHE_SIZE");
	assert_false(settings_from_checkout(s, "cache.max_size"));
	err_init(&e);
	assert_int_equal(settings_override(s, "cache.max_size", "4", "--size", &e), 0);
	assert_int_equal(settings_int(s, "cache.max_size"), 4);
	assert_string_equal(settings_origin(s, "cache.max_size"), "--size");
	assert_int_equal(settings_override(s, "cache.max_size", "x", "--size", &e), ERR_CONFIG);
	assert_string_equal(e.msg, "--size: cache.max_size: 'x' is no whole number");
	assert_int_equal(settings_int(s, "cache.max_size"), 4);
	settings_free(s);
	assert_int_equal(n_warnings, 0);
}

static void test_variables(void **state)
{
	const char *const *items;

	(void)state;
	set_var("CACHE_ENABLE_P2P", "true");
	set_var("ENABLE_P2P_CACHE", "false");
	set_var("CACHE_LISTEN_PORT", "9001");
	set_var("P2P_LISTEN_PORT", "9002");
	set_var("CACHE_BOOTSTRAP_PEERS", "/ip4/10.0.0.1/tcp/9000, ,/ip4/10.0.0.2/tcp/9000,");
	set_var("CODEQL_CACHE_TTL", "1d");
	set_var("https_proxy", "http://user:pass@proxy:3128");
	set_var("GITHUB_API_URL", "https://ghe.example/api/v3");
	set_var("GHOARD_SOCKET", "~/x.sock");
	struct settings *s = load();
	assert_false(settings_bool(s, "p2p.enabled"));
	assert_int_equal(settings_int(s, "p2p.listen_port"), 9002);
	assert_int_equal(settings_list(s, "p2p.bootstrap_peers", &items), 2);
	assert_string_equal(items[1], "/ip4/10.0.0.2/tcp/9000");
	assert_int_equal(settings_int(s, "operation_ttls.codeql_results"), 86400);
	assert_string_equal(settings_str(s, "network.proxy"), "http://user:pass@proxy:3128");
	assert_string_equal(settings_text(s, "network.proxy"), "http://***@proxy:3128");
	assert_string_equal(settings_str(s, "upstream.url"), "https://ghe.example/api/v3");
	assert_string_equal(settings_str(s, "daemon.socket") + strlen(home), "/x.sock");
	settings_free(s);
	set_var("GITHUB_CACHE_SIZE", "many");
	refused("environment GITHUB_CACHE_SIZE: cache.max_size: 'many' is no whole number");
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
		{ "max_sise: 5\n",
		    "/cache-config.yml line 1 column 1: unknown key 'max_sise'; did you mean "
		    "'cache.max_size'?" },
		{ "cache:\n  max_sise: 5\n",
		    "line 2 column 3: unknown key 'cache.max_sise'; did you mean 'cache.max_size'?" },
		{ "quux: 5\n", "line 1 column 1: unknown key 'quux'" },
		{ "cache: 5\n", "'cache' is a section" },
		{ "cache: []\n", "'cache' is a section" },
		{ "network:\n  network_id: a\n", "'network.network_id' belongs in p2p-config.yml" },
		{ "daemon:\n  socket: a\n",
		    "'daemon.socket' is set by the environment alone (GHOARD_SOCKET)" },
		{ "cache:\n  max_size: lots\n", "cache.max_size: 'lots' is no whole number" },
		{ "cache:\n  max_size: 0\n", "cache.max_size: '0' is out of bounds (1 to 10000000)" },
		{ "cache:\n  max_body: 1023\n",
		    "cache.max_body: '1023' is out of bounds (1024 to 67108864)" },
		{ "cache:\n  max_body: 65MiB\n", "is out of bounds" },
		{ "cache:\n  max_body: 1 elephant\n", "is no size" },
		{ "cache:\n  default_ttl: soon\n", "is no time" },
		{ "cache:\n  default_ttl: -1\n", "is no time" },
		{ "rate_limiting:\n  max_wait: 3601\n", "is out of bounds (0 to 3600)" },
		{ "cache:\n  enabled: maybe\n", "'maybe' is neither true nor false" },
		{ "cache:\n  max_size: [5]\n", "cache.max_size takes one value, not a list" },
		{ "cache:\n  max_size: []\n", "cache.max_size takes one value, not a list" },
		{ "p2p:\n  bootstrap_peers: x\n", "p2p.bootstrap_peers takes a list: write [x]" },
		{ "p2p:\n  share: some\n", "'some' is none of own|all" },
		{ "cache:\n  max_size: 5\n  max_size: 6\n", "/cache-config.yml" },
		{ "cache: {\n", "/cache-config.yml" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		cache_file(bad[i].text);
		refused(bad[i].want);
	}
	cache_file("");
	p2p_file("cache:\n  max_size: 5\n");
	refused("'cache.max_size' belongs in cache-config.yml");
	assert_int_equal(n_warnings, 0);
}

static void test_good_files(void **state)
{
	const char *const *items;

	(void)state;
	cache_file("# nothing\n");
	p2p_file("---\n");
	settings_free(load());
	cache_file("cache:\np2p:\n  bootstrap_peers:\n    - a,b\n    - ''\n    - c\n  listen_port: ~\n"
	    "operation_ttls: {list_repos: '1h'}\n");
	p2p_file("discovery:\n  github:\n    repository: null\n  bootstrap_peers: []\n");
	struct settings *s = load();
	assert_int_equal(settings_list(s, "p2p.bootstrap_peers", &items), 2);
	assert_string_equal(items[0], "a,b");
	assert_string_equal(items[1], "c");
	assert_int_equal(settings_int(s, "p2p.listen_port"), 9000);
	assert_int_equal(settings_int(s, "operation_ttls.list_repos"), 3600);
	assert_string_equal(settings_str(s, "discovery.github.repository"), "");
	settings_free(s);
	assert_int_equal(n_warnings, 0);
}

static void test_link_in_checkout(void **state)
{
	char path[160], target[160];

	(void)state;
	snprintf(target, sizeof target, "%s/secret", root);
	snprintf(path, sizeof path, "%s/cache-config.yml", config_dir);
	spill(root, "secret", "hunter2: x\n");
	assert_int_equal(symlink(target, path), 0);
	struct settings_params p = { config_dir, host_dir, fake_env, on_warning };
	struct settings *s;
	struct err e;
	err_init(&e);
	assert_int_equal(settings_load(&p, &s, &e), ERR_CONFIG);
	assert_null(strstr(e.msg, "hunter2"));
	assert_non_null(strstr(e.msg, path));
	unlink(path);
	snprintf(path, sizeof path, "%s/cache-config.yml", host_dir);
	assert_int_equal(symlink(target, path), 0);
	refused("hunter2");
}

/* One row each: what the host says, what the checkout says, what comes of it. */
static void test_trust(void **state)
{
	static const struct {
		const char *host, *checkout, *key, *text;
		unsigned warnings;
	} rows[] = {
		{ "", "cache: {permission_ttl: 7200}", "cache.permission_ttl", "3600", 1 },
		{ "", "cache: {permission_ttl: 60}", "cache.permission_ttl", "60", 0 },
		{ "", "cache: {permission_ttl: 1h}", "cache.permission_ttl", "1h", 0 },
		{ "cache: {permission_ttl: 7200}", "cache: {permission_ttl: 7000}", "cache.permission_ttl",
		    "7000", 0 },
		{ "cache: {permission_ttl: 60}", "cache: {permission_ttl: 61}", "cache.permission_ttl", "60",
		    1 },
		{ "", "p2p: {enabled: false}", "p2p.enabled", "false", 0 },
		{ "p2p: {enabled: false}", "p2p: {enabled: true}", "p2p.enabled", "false", 1 },
		{ "", "p2p: {share: all}", "p2p.share", "own", 1 },
		{ "p2p: {share: all}", "p2p: {share: own}", "p2p.share", "own", 0 },
		{ "", "p2p: {share_operations: [a]}", "p2p.share_operations", "", 1 },
		{ "p2p: {share_operations: [a, b]}", "p2p: {share_operations: [b]}", "p2p.share_operations",
		    "b", 0 },
		{ "p2p: {share_operations: [a]}", "p2p: {share_operations: [a, b]}", "p2p.share_operations",
		    "a", 1 },
		{ "", "upstream: {url: 'https://evil.example'}", "upstream.url", "https://api.github.com",
		    1 },
		{ "", "upstream: {url: 'https://api.github.com'}", "upstream.url", "https://api.github.com",
		    0 },
		{ "upstream: {url: 'https://ghe'}", "", "upstream.url", "https://ghe", 0 },
		{ "", "codeql: {trusted_keys: [k]}", "codeql.trusted_keys", "", 1 },
		{ "codeql: {trusted_keys: [k]}", "codeql: {trusted_keys: []}", "codeql.trusted_keys", "k",
		    1 },
		{ "", "codeql: {directory: '~/elsewhere'}", "codeql.directory", "~/.cache/codeql", 1 },
		{ "", "cache: {directory: '~/mine'}", "cache.directory", "~/mine", 0 },
		{ "", "cache: {directory: '~/repo/forged'}", "cache.directory", "~/.cache/github-api-p2p",
		    1 },
		{ "", "cache: {directory: '~/a/../repo/forged'}", "cache.directory",
		    "~/.cache/github-api-p2p", 1 },
		{ "", "cache: {directory: '~/link/forged'}", "cache.directory", "~/.cache/github-api-p2p",
		    1 },
		{ "", "cache: {directory: /tmp/x}", "cache.directory", "~/.cache/github-api-p2p", 1 },
		{ "", "cache: {directory: x}", "cache.directory", "~/.cache/github-api-p2p", 1 },
		{ "cache: {directory: /srv/x}", "", "cache.directory", "/srv/x", 0 },
		{ "", "p2p: {encryption: {enabled: false}}", "p2p.encryption.enabled", "true", 1 },
		{ "p2p: {encryption: {enabled: no}}", "", "p2p.encryption.enabled", "true", 1 },
		{ "", "p2p: {encryption: {enabled: yes}}", "p2p.encryption.enabled", "yes", 0 },
	};
	char path[160], target[160];

	(void)state;
	snprintf(target, sizeof target, "%s/repo", root);
	snprintf(path, sizeof path, "%s/link", root);
	assert_int_equal(symlink(target, path), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		n_warnings = 0;
		warnings[0] = '\0';
		host_file(rows[i].host);
		cache_file(rows[i].checkout);
		struct settings *s = load();
		if (strcmp(settings_text(s, rows[i].key), rows[i].text) != 0 ||
		    n_warnings != rows[i].warnings)
			fail_msg("%s / %s: '%s', %u: %s", rows[i].host, rows[i].checkout,
			    settings_text(s, rows[i].key), n_warnings, warnings);
		settings_free(s);
	}
}

static void test_trust_up(void **state)
{
	const char *const *items;

	(void)state;
	spill(host_dir, "p2p-config.yml",
	    "security:\n  access_control:\n    verify_repository_access: false\n    peer_blocklist: [a]\n");
	p2p_file("security:\n  access_control:\n    verify_repository_access: true\n    peer_blocklist: [b, "
		 "a]\n");
	struct settings *s = load();
	assert_true(settings_bool(s, "security.access_control.verify_repository_access"));
	assert_int_equal(settings_list(s, "security.access_control.peer_blocklist", &items), 2);
	settings_free(s);
	assert_int_equal(n_warnings, 0);
	p2p_file("security:\n  access_control:\n    peer_blocklist: [b]\n");
	s = load();
	assert_int_equal(settings_list(s, "security.access_control.peer_blocklist", &items), 1);
	assert_string_equal(items[0], "a");
	settings_free(s);
	warned("peer_blocklist");
}

static void test_unable(void **state)
{
	(void)state;
	p2p_file("discovery:\n  methods:\n    dht: false\n  dht:\n    bucket_size: 20\n");
	struct settings *s = load();
	assert_int_equal(n_warnings, 0);
	assert_false(settings_bool(s, "discovery.methods.dht"));
	assert_true(settings_bool(s, "discovery.methods.mdns"));
	assert_string_equal(settings_text(s, "discovery.methods.dht"), "false");
	settings_free(s);
	p2p_file("discovery:\n  methods:\n    dht: true\n");
	s = load();
	assert_false(settings_bool(s, "discovery.methods.dht"));
	settings_free(s);
	warned("p2p-config.yml line 3 column 5: discovery.methods.dht = 'true' cannot be honoured");
	n_warnings = 0;
	p2p_file("performance:\n  compression:\n    algorithm: zstd\n");
	s = load();
	assert_string_equal(settings_str(s, "performance.compression.algorithm"), "gzip");
	settings_free(s);
	warned("zstd");
}

static void test_flags_are_trusted(void **state)
{
	struct err e;

	(void)state;
	err_init(&e);
	set_var("CACHE_DIR", "/srv/cache");
	cache_file("cache:\n  directory: /tmp/evil\n");
	struct settings *s = load();
	assert_string_equal(settings_str(s, "cache.directory"), "/srv/cache");
	assert_int_equal(settings_override(s, "upstream.url", "http://127.0.0.1:1", "--upstream", &e), 0);
	assert_string_equal(settings_str(s, "upstream.url"), "http://127.0.0.1:1");
	assert_int_equal(settings_override(s, "p2p.encryption.enabled", "false", "--x", &e), 0);
	assert_true(settings_bool(s, "p2p.encryption.enabled"));
	settings_free(s);
}

static void path_is(const char *key, const char *under, const char *rest)
{
	char want[200];

	struct settings *s = load();
	snprintf(want, sizeof want, "%s%s", under, rest);
	assert_string_equal(settings_str(s, key), want);
	settings_free(s);
}

static void test_folders(void **state)
{
	(void)state;
	path_is("cache.directory", home, "/.cache/github-api-p2p");
	path_is("credentials.directory", home, "/.credentials");
	set_var("XDG_CACHE_HOME", "/x/cache");
	path_is("cache.directory", "/x/cache", "/github-api-p2p");
	path_is("codeql.directory", "/x/cache", "/codeql");
	path_is("credentials.directory", home, "/.credentials");
	cache_file("cache:\n  directory: ~/.cache/github-api-p2p\n");
	path_is("cache.directory", "/x/cache", "/github-api-p2p");
	cache_file("cache:\n  directory: ~/.cache/other\n");
	path_is("cache.directory", home, "/.cache/other");
	set_var("CACHE_DIR", "~/.cache/github-api-p2p");
	path_is("cache.directory", home, "/.cache/github-api-p2p");
	vars[1][1] = "relative";
	path_is("codeql.directory", home, "/.cache/codeql");
	assert_int_equal(n_warnings, 0);
}

/* A uid that passwd does not know, and no HOME: what needs none works. */
static void test_no_home(void **state)
{
	int status = 0;

	(void)state;
	if (geteuid() != 0)
		skip();
	vars[0][1] = NULL;
	chmod(root, 0755);
	pid_t pid = fork();
	if (pid == 0) {
		struct settings_params p = { "/nowhere", "/nowhere", fake_env, on_warning };
		struct settings *s;
		if (setuid(54321) != 0 || settings_load(&p, &s, NULL) != 0)
			_exit(1);
		bool ok = !settings_str(s, "cache.directory") && settings_str(s, "upstream.url");
		settings_free(s);
		_exit(ok ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_real_environment(void **state)
{
	struct settings_params p = { NULL, NULL, NULL, NULL };
	struct settings *s;

	(void)state;
	setenv("GITHUB_CACHE_SIZE", "77", 1);
	assert_int_equal(settings_load(&p, &s, NULL), 0);
	assert_int_equal(settings_int(s, "cache.max_size"), 77);
	settings_free(s);
	unsetenv("GITHUB_CACHE_SIZE");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Of a part: a file and the environment may have more, which nobody looks at. */
static void test_only(void **state)
{
	static const char *const only[] = { "credentials.", NULL };
	const struct settings_params p = { config_dir, host_dir, fake_env, on_warning, only };
	struct settings *s;
	struct err e;

	(void)state;
	err_init(&e);
	host_file("cache:\n  max_size: x\ncredentials:\n  access: require\n");
	set_var("GITHUB_CACHE_SIZE", "x");
	assert_int_equal(settings_load(&p, &s, &e), 0);
	assert_string_equal(settings_str(s, "credentials.access"), "require");
	assert_int_equal(settings_int(s, "credentials.key_cache"), 300);
	settings_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),
		TEST(test_order),
		TEST(test_variables),
		TEST(test_bad_files),
		TEST(test_good_files),
		TEST(test_link_in_checkout),
		TEST(test_trust),
		TEST(test_trust_up),
		TEST(test_unable),
		TEST(test_flags_are_trusted),
		TEST(test_folders),
		TEST(test_no_home),
		TEST(test_real_environment),
		TEST(test_only),
	};

	return cmocka_run_group_tests_name("config/layers", tests, NULL, NULL);
}
