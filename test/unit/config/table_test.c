#include <string.h>

#include "../base/cm.h"
#include "base/err.h"
#include "config/table.h"
#include "config/value.h"

/* The reference's two files, key by key (105 keys, one of them in both). */
static const struct {
	const char *key, *dflt;
} cache_file[] = {
	{ "cache.enabled", "true" }, { "cache.max_size", "5000" }, { "cache.default_ttl", "300" },
	{ "cache.directory", "~/.cache/github-api-p2p" }, { "cache.persistence", "true" },
	{ "p2p.enabled", "true" },
	{ "p2p.listen_port", "9000" }, { "p2p.peer_discovery", "true" }, { "p2p.bootstrap_peers", "" },
	{ "p2p.encryption.enabled", "true" }, { "p2p.encryption.token_based", "true" },
	{ "content_addressing.enabled", "true" }, { "content_addressing.validation.repos", "true" },
	{ "content_addressing.validation.workflows", "true" },
	{ "content_addressing.validation.runners", "true" },
	{ "rate_limiting.warning_threshold", "100" }, { "rate_limiting.aggressive_threshold", "50" },
	{ "rate_limiting.cache_first_mode", "true" }, { "monitoring.enabled", "true" },
	{ "monitoring.log_stats", "true" },
	{ "monitoring.export_metrics", "false" }, { "monitoring.metrics_format", "json" },
	{ "operation_ttls.list_repos", "600" }, { "operation_ttls.get_repo_info", "300" },
	{ "operation_ttls.list_workflows", "300" }, { "operation_ttls.get_workflow_runs", "120" },
	{ "operation_ttls.get_workflow_run", "60" }, { "operation_ttls.list_runners", "300" },
	{ "operation_ttls.get_runner_status", "60" }, { "operation_ttls.copilot_completion", "3600" },
	{ "ipfs_accelerate_integration.enabled", "true" },
	{ "ipfs_accelerate_integration.use_compatible_formats", "true" },
	{ "ipfs_accelerate_integration.share_with_accelerate", "true" },
	{ "ipfs_accelerate_integration.accept_from_accelerate", "true" },
}, p2p_file[] = {
	{ "network.protocol_version", "1.0.0" }, { "network.network_id", "ipfs-datasets-py-cache" },
	{ "network.listen.addresses", "0.0.0.0" }, { "network.listen.port_range.start", "9000" },
	{ "network.listen.port_range.end", "9010" }, { "network.listen.transports", "tcp" },
	{ "network.connections.max_peers", "20" }, { "network.connections.min_peers", "2" },
	{ "network.connections.timeout", "30" }, { "network.connections.keepalive_interval", "60" },
	{ "discovery.enabled", "true" }, { "discovery.methods.github_cache_api", "true" },
	{ "discovery.methods.mdns", "true" }, { "discovery.methods.dht", "true" },
	{ "discovery.methods.bootstrap", "true" },
	{ "discovery.methods.circuit_relay", "true" }, { "discovery.methods.autonat", "true" },
	{ "discovery.methods.hole_punching", "true" }, { "discovery.github.repository", "" },
	{ "discovery.github.peer_cache_key", "p2p-peers" }, { "discovery.github.peer_ttl_minutes", "15" },
	{ "discovery.github.discovery_interval", "300" }, { "discovery.github.max_peers_per_query", "10" },
	{ "discovery.bootstrap_peers", "" }, { "discovery.mdns.interval", "5" },
	{ "discovery.mdns.ttl", "120" },
	{ "discovery.dht.bucket_size", "20" }, { "discovery.dht.query_timeout", "60" },
	{ "discovery.relay.hop_limit", "3" }, { "discovery.relay.timeout", "30" },
	{ "discovery.relay.relay_addrs", "" },
	{ "discovery.autonat.enable_server", "true" }, { "discovery.autonat.timeout", "30" },
	{ "security.encryption.enabled", "true" }, { "security.encryption.algorithm", "AES-256-GCM" },
	{ "security.encryption.key_derivation.use_github_token", "true" },
	{ "security.encryption.key_derivation.pbkdf2_iterations", "100000" },
	{ "security.encryption.key_derivation.key_size", "256" },
	{ "security.access_control.verify_repository_access", "true" },
	{ "security.access_control.trust_bootstrap", "true" },
	{ "security.access_control.peer_allowlist", "" },
	{ "security.access_control.peer_blocklist", "" },
	{ "security.content_verification.verify_hashes", "true" },
	{ "security.content_verification.reject_invalid", "true" },
	{ "security.content_verification.max_content_size", "104857600" },
	{ "cache_protocol.protocol_id", "/github-cache/1.0.0" },
	{ "cache_protocol.message_types", "cache_entry,cache_request,cache_response,peer_info" },
	{ "cache_protocol.broadcast.enabled", "true" }, { "cache_protocol.broadcast.strategy", "all" },
	{ "cache_protocol.broadcast.peer_count", "5" }, { "cache_protocol.broadcast.retry_count", "3" },
	{ "cache_protocol.sync.enabled", "true" }, { "cache_protocol.sync.interval", "600" },
	{ "cache_protocol.sync.max_age", "3600" }, { "performance.buffers.read_buffer", "65536" },
	{ "performance.buffers.write_buffer", "65536" }, { "performance.compression.enabled", "true" },
	{ "performance.compression.algorithm", "gzip" }, { "performance.compression.level", "6" },
	{ "performance.throttling.max_messages_per_sec", "100" },
	{ "performance.throttling.max_bandwidth_per_peer", "10485760" },
	{ "ipfs_accelerate.enabled", "true" },
	{ "ipfs_accelerate.accept_accelerate_peers", "true" },
	{ "ipfs_accelerate.shared_network_id", "ipfs-github-cache" },
	{ "ipfs_accelerate.compatible_protocols", "/github-cache/1.0.0,/ipfs-accelerate/cache/1.0.0" },
	{ "logging.level", "info" }, { "logging.log_connections", "true" },
	{ "logging.log_cache_ops", "true" },
	{ "logging.log_messages", "false" }, { "monitoring.enabled", "true" },
	{ "monitoring.metrics",
	  "peer_count,message_count,bytes_sent,bytes_received,cache_entries_shared,cache_entries_received" },
};

static void check_key(const char *key, const char *dflt, enum setting_file file)
{
	const struct setting *row = table_find(key);

	if (!row)
		fail_msg("%s is missing", key);
	assert_string_equal(row->key, key);
	assert_string_equal(row->dflt, dflt);
	assert_true(row->file == file || row->file == SETF_BOTH);
}

static void test_reference_keys(void **state)
{
	(void)state;
	assert_int_equal(COUNT(cache_file), 34);
	assert_int_equal(COUNT(p2p_file), 71);
	for (size_t i = 0; i < COUNT(cache_file); i++)
		check_key(cache_file[i].key, cache_file[i].dflt, SETF_CACHE);
	for (size_t i = 0; i < COUNT(p2p_file); i++)
		check_key(p2p_file[i].key, p2p_file[i].dflt, SETF_P2P);
	assert_int_equal(table_find("monitoring.enabled")->file, SETF_BOTH);
}

static void test_own_keys(void **state)
{
	static const struct {
		const char *key, *dflt;
		enum setting_file file;
		enum setting_trust trust;
	} own[] = {
		{ "cache.memory_entries", "1000", SETF_CACHE, TRUST_FREE },
		{ "cache.memory_bytes", "32MiB", SETF_CACHE, TRUST_FREE },
		{ "cache.max_body", "16MiB", SETF_CACHE, TRUST_FREE },
		{ "cache.permission_ttl", "3600", SETF_CACHE, TRUST_LOWER },
		{ "cache.stale_if_error", "86400", SETF_CACHE, TRUST_FREE },
		{ "cache.copilot_paths", "", SETF_CACHE, TRUST_FREE },
		{ "operation_ttls.git_object", "86400", SETF_CACHE, TRUST_FREE },
		{ "operation_ttls.graphql_query", "60", SETF_CACHE, TRUST_FREE },
		{ "operation_ttls.codeql_results", "86400", SETF_CACHE, TRUST_FREE },
		{ "upstream.url", "https://api.github.com", SETF_CACHE, TRUST_NEVER },
		{ "upstream.connect_timeout", "10", SETF_CACHE, TRUST_FREE },
		{ "upstream.tls_timeout", "10", SETF_CACHE, TRUST_FREE },
		{ "upstream.first_byte_timeout", "30", SETF_CACHE, TRUST_FREE },
		{ "upstream.timeout", "300", SETF_CACHE, TRUST_FREE },
		{ "rate_limiting.max_wait", "60", SETF_CACHE, TRUST_FREE },
		{ "network.proxy", "", SETF_NONE, TRUST_FREE },
		{ "network.no_proxy", "", SETF_NONE, TRUST_FREE },
		{ "tls.ca_file", "", SETF_NONE, TRUST_FREE },
		{ "tls.ca_dir", "", SETF_NONE, TRUST_FREE },
		{ "daemon.socket", "", SETF_NONE, TRUST_FREE },
		{ "daemon.max_request_body", "2GiB", SETF_CACHE, TRUST_FREE },
		{ "credentials.directory", "~/.credentials", SETF_CACHE, TRUST_NEVER },
		{ "codeql.directory", "~/.cache/codeql", SETF_CACHE, TRUST_NEVER },
		{ "codeql.enabled", "true", SETF_CACHE, TRUST_LOWER },
		{ "codeql.trusted_keys", "", SETF_CACHE, TRUST_NEVER },
		{ "p2p.share", "own", SETF_CACHE, TRUST_LOWER },
		{ "p2p.share_operations", "", SETF_CACHE, TRUST_LOWER },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(own); i++) {
		check_key(own[i].key, own[i].dflt, own[i].file);
		assert_int_equal(table_find(own[i].key)->trust, own[i].trust);
	}
	assert_int_equal(table_find("rate_limiting.max_wait")->max, 3600);
	assert_int_equal(table_find("cache.max_body")->min, 1024);
	assert_int_equal(table_find("cache.max_body")->max, 64 << 20);
	assert_null(table_find("p2p.shared_secret"));
}

static void test_variables(void **state)
{
	static const struct {
		const char *name, *key;
		size_t rank;
	} vars[] = {
		{ "ENABLE_P2P_CACHE", "p2p.enabled", 0 },
		{ "CACHE_ENABLE_P2P", "p2p.enabled", 1 },
		{ "P2P_LISTEN_PORT", "p2p.listen_port", 0 },
		{ "CACHE_LISTEN_PORT", "p2p.listen_port", 1 },
		{ "P2P_SHARE_OPERATIONS", "p2p.share_operations", 0 },
		{ "CACHE_DEFAULT_TTL", "cache.default_ttl", 0 },
		{ "GITHUB_CACHE_SIZE", "cache.max_size", 0 },
		{ "ENABLE_PEER_DISCOVERY", "p2p.peer_discovery", 0 },
		{ "GHOARD_MDNS", "discovery.methods.mdns", 0 },
		{ "CACHE_DIR", "cache.directory", 0 },
		{ "CACHE_BOOTSTRAP_PEERS", "p2p.bootstrap_peers", 0 },
		{ "CODEQL_CACHE_DIR", "codeql.directory", 0 },
		{ "CODEQL_CACHE_TTL", "operation_ttls.codeql_results", 0 },
		{ "ENABLE_CODEQL_CACHE", "codeql.enabled", 0 },
		{ "GHOARD_CODEQL_TRUSTED_KEYS", "codeql.trusted_keys", 0 },
		{ "CREDENTIALS_DIR", "credentials.directory", 0 },
		{ "GITHUB_API_URL", "upstream.url", 0 },
		{ "HTTPS_PROXY", "network.proxy", 0 },
		{ "https_proxy", "network.proxy", 1 },
		{ "NO_PROXY", "network.no_proxy", 0 },
		{ "no_proxy", "network.no_proxy", 1 },
		{ "SSL_CERT_FILE", "tls.ca_file", 0 },
		{ "SSL_CERT_DIR", "tls.ca_dir", 0 },
		{ "GHOARD_SOCKET", "daemon.socket", 0 },
		{ "P2P_PEER_KEY_FILE", "p2p.peer_key_file", 0 },
	};
	size_t named = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(vars); i++) {
		const struct setting *row = table_find(vars[i].key);
		assert_non_null(row);
		assert_string_equal(row->env[vars[i].rank], vars[i].name);
	}
	for (size_t i = 0; table_at(i); i++)
		for (size_t k = 0; k < 3 && table_at(i)->env[k]; k++)
			named++;
	assert_int_equal(named, COUNT(vars));
}

static void test_rows_are_sound(void **state)
{
	const struct setting *row;
	struct value v;
	struct err e;

	(void)state;
	for (size_t i = 0; (row = table_at(i)); i++) {
		err_init(&e);
		if (value_of_text(row, row->dflt, "default", &v, &e) < 0)
			fail_msg("%s", e.msg);
		value_wipe(&v);
		assert_ptr_equal(table_find(row->key), row);
		assert_true(row->file != SETF_NONE || row->env[0]);
		assert_false(table_is_section(row->key));
		size_t n = strlen(row->help);
		assert_true(n > 0 && row->help[n - 1] == '.' && n < 110);
		/* Unable and fixed rows have nothing that a checkout could loosen. */
		assert_true(row->state == SETS_WORKS || row->trust == TRUST_FREE);
	}
}

static void nearest(const char *key, const char *want)
{
	const struct setting *row = table_nearest(key);

	if (want ? !row || strcmp(row->key, want) != 0 : row != NULL)
		fail_msg("%s: %s", key, row ? row->key : "none");
}

static void test_nearest(void **state)
{
	(void)state;
	nearest("max_sise", "cache.max_size");
	nearest("cache.max_sise", "cache.max_size");
	nearest("cache.maxsize", "cache.max_size");
	nearest("max_size", "cache.max_size");
	nearest("cach.max_size", "cache.max_size");
	nearest("p2p.listen-port", "p2p.listen_port");
	nearest("network.peer_blocklist", "security.access_control.peer_blocklist");
	nearest("zzz", NULL);
	nearest("", NULL);
	nearest("completely.different_words_here", NULL);
}

static void test_sections(void **state)
{
	(void)state;
	assert_true(table_is_section("cache"));
	assert_true(table_is_section("network.listen"));
	assert_false(table_is_section("cach"));
	assert_false(table_is_section("cache."));
	assert_false(table_is_section(""));
	assert_false(table_is_section("cache.max_size"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference_keys),
		cmocka_unit_test(test_own_keys),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_rows_are_sound),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_sections),
	};

	return cmocka_run_group_tests_name("config/table", tests, NULL, NULL);
}
