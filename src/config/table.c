#include <string.h>

#include "base/str.h"
#include "config/table.h"

#define KIB 1024
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define YEAR (365 * 86400)

/* key, file, type, default, min, max, trust, state, / environment, one of, help */
static const struct setting table[] = {
	{ "cache.enabled", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_WORKS, { NULL }, NULL,
	    "Keep answers at all; false passes every request through." },
	{ "cache.max_size", SETF_CACHE, SET_INT, "5000", 1, 10000000, TRUST_FREE, SETS_WORKS,
	    { "GITHUB_CACHE_SIZE" }, NULL, "Most entries kept on disk." },
	{ "cache.default_ttl", SETF_CACHE, SET_SECONDS, "300", 0, YEAR, TRUST_FREE, SETS_WORKS,
	    { "CACHE_DEFAULT_TTL" }, NULL, "Lifetime of answers that no operation of the table claims." },
	{ "cache.directory", SETF_CACHE, SET_STRING, "~/.cache/github-api-p2p", 0, 0, TRUST_HOME, SETS_WORKS,
	    { "CACHE_DIR" }, NULL, "The folder of the API cache." },
	{ "cache.persistence", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_WORKS, { NULL }, NULL,
	    "Keep entries on disk; false keeps them in memory only." },
	{ "cache.memory_entries", SETF_CACHE, SET_INT, "1000", 0, 1000000, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Most entries kept in memory." },
	{ "cache.memory_bytes", SETF_CACHE, SET_BYTES, "32MiB", 0, GIB, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Most bytes kept in memory." },
	{ "cache.max_body", SETF_CACHE, SET_BYTES, "16MiB", KIB, 64 * MIB, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Largest body that is stored; a larger one is passed through." },
	{ "cache.permission_ttl", SETF_CACHE, SET_SECONDS, "3600", 0, 86400, TRUST_LOWER, SETS_WORKS,
	    { NULL }, NULL, "Longest time for which an entry proves that its token may read it." },
	{ "cache.stale_while_revalidate", SETF_CACHE, SET_SECONDS, "30", 0, 3600, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL,
	    "How long past its life the daemon serves an answer at once and asks GitHub beside it." },
	{ "cache.stale_if_error", SETF_CACHE, SET_SECONDS, "86400", 0, 86400, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "How long past its lifetime an entry answers when GitHub cannot." },
	{ "cache.copilot_paths", SETF_CACHE, SET_LIST, "", 0, 0, TRUST_FREE, SETS_WORKS, { NULL }, NULL,
	    "Paths whose POST bodies key copilot_completion entries." },
	{ "p2p.enabled", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_LOWER, SETS_WORKS,
	    { "ENABLE_P2P_CACHE", "CACHE_ENABLE_P2P" }, NULL,
	    "Share entries with peers that hold the group secret." },
	{ "p2p.listen_port", SETF_CACHE, SET_INT, "9000", 0, 65535, TRUST_FREE, SETS_WORKS,
	    { "P2P_LISTEN_PORT", "CACHE_LISTEN_PORT" }, NULL,
	    "TCP port of the P2P listener; 0 takes a free one." },
	{ "p2p.peer_discovery", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_WORKS,
	    { "ENABLE_PEER_DISCOVERY" }, NULL, "Find peers through the Actions cache of the repository." },
	{ "p2p.bootstrap_peers", SETF_CACHE, SET_LIST, "", 0, 0, TRUST_FREE, SETS_WORKS,
	    { "CACHE_BOOTSTRAP_PEERS" }, NULL, "Multiaddresses dialled at start." },
	{ "p2p.encryption.enabled", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_FIXED, { NULL },
	    NULL, "Messages are always sealed." },
	{ "p2p.encryption.token_based", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_LOWER, SETS_WORKS, { NULL },
	    NULL, "Without CACHE_P2P_SHARED_SECRET, derive the group key from the token." },
	{ "p2p.share", SETF_CACHE, SET_STRING, "own", 0, 0, TRUST_LOWER, SETS_WORKS, { NULL }, "own|all",
	    "Which entries peers may get: those of the own token, or all." },
	{ "p2p.share_operations", SETF_CACHE, SET_LIST, "", 0, 0, TRUST_LOWER, SETS_WORKS,
	    { "P2P_SHARE_OPERATIONS" }, NULL,
	    "Operations shared besides: copilot_completion, graphql_query, and those put by name." },
	{ "p2p.peer_key_file", SETF_NONE, SET_STRING, "", 0, 0, TRUST_FREE, SETS_WORKS,
	    { "P2P_PEER_KEY_FILE" }, NULL,
	    "File of the libp2p identity, in place of .peer_key in the cache folder." },
	{ "content_addressing.enabled", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_FIXED, { NULL },
	    NULL, "Bodies are always checked against their CID." },
	{ "content_addressing.validation.repos", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_FIXED,
	    { NULL }, NULL, "Validation fields of repository answers are always kept." },
	{ "content_addressing.validation.workflows", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_FREE,
	    SETS_FIXED, { NULL }, NULL, "Validation fields of workflow answers are always kept." },
	{ "content_addressing.validation.runners", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_FIXED,
	    { NULL }, NULL, "Validation fields of runner answers are always kept." },
	{ "rate_limiting.warning_threshold", SETF_CACHE, SET_INT, "100", 0, 1000000, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Remaining requests below which there is a warning." },
	{ "rate_limiting.aggressive_threshold", SETF_CACHE, SET_INT, "50", 0, 1000000, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Remaining requests below which stale entries answer first." },
	{ "rate_limiting.cache_first_mode", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Answer from stale entries when the limit is near or reached." },
	{ "rate_limiting.max_wait", SETF_CACHE, SET_SECONDS, "60", 0, 3600, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Longest wait for Retry-After or the reset of a rate limit." },
	{ "monitoring.enabled", SETF_BOTH, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_WORKS, { NULL }, NULL,
	    "Accepted: requests, hits and savings are counted always." },
	{ "monitoring.log_stats", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_WORKS, { NULL }, NULL,
	    "Log the counters when the daemon stops (at level info)." },
	{ "monitoring.export_metrics", SETF_CACHE, SET_BOOL, "false", 0, 0, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Accepted: `ghoard stats` and /metrics always have the counters." },
	{ "monitoring.metrics_format", SETF_CACHE, SET_STRING, "json", 0, 0, TRUST_FREE, SETS_WORKS, { NULL },
	    "json|prometheus|text|markdown", "Accepted: `ghoard stats --format` chooses." },
	{ "operation_ttls.list_repos", SETF_CACHE, SET_SECONDS, "600", 0, YEAR, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Lifetime of list_repos answers." },
	{ "operation_ttls.get_repo_info", SETF_CACHE, SET_SECONDS, "300", 0, YEAR, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Lifetime of get_repo_info answers." },
	{ "operation_ttls.list_workflows", SETF_CACHE, SET_SECONDS, "300", 0, YEAR, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Lifetime of list_workflows answers." },
	{ "operation_ttls.get_workflow_runs", SETF_CACHE, SET_SECONDS, "120", 0, YEAR, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Lifetime of get_workflow_runs answers." },
	{ "operation_ttls.get_workflow_run", SETF_CACHE, SET_SECONDS, "60", 0, YEAR, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Lifetime of get_workflow_run answers." },
	{ "operation_ttls.list_runners", SETF_CACHE, SET_SECONDS, "300", 0, YEAR, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Lifetime of list_runners answers." },
	{ "operation_ttls.get_runner_status", SETF_CACHE, SET_SECONDS, "60", 0, YEAR, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Lifetime of get_runner_status answers." },
	{ "operation_ttls.copilot_completion", SETF_CACHE, SET_SECONDS, "3600", 0, YEAR, TRUST_FREE,
	    SETS_WORKS, { NULL }, NULL, "Lifetime of copilot_completion answers." },
	{ "operation_ttls.git_object", SETF_CACHE, SET_SECONDS, "86400", 0, YEAR, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Lifetime of git_object answers." },
	{ "operation_ttls.graphql_query", SETF_CACHE, SET_SECONDS, "60", 0, YEAR, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Lifetime of graphql_query answers." },
	{ "operation_ttls.codeql_results", SETF_CACHE, SET_SECONDS, "86400", 0, YEAR, TRUST_FREE, SETS_WORKS,
	    { "CODEQL_CACHE_TTL" }, NULL, "Lifetime of CodeQL results." },
	{ "ipfs_accelerate_integration.enabled", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_LOWER, SETS_WORKS,
	    { NULL }, NULL, "Take part with ipfs_accelerate peers." },
	{ "ipfs_accelerate_integration.use_compatible_formats", SETF_CACHE, SET_BOOL, "true", 0, 0,
	    TRUST_FREE, SETS_FIXED, { NULL }, NULL,
	    "Entries always have the form that ipfs_accelerate reads." },
	{ "ipfs_accelerate_integration.share_with_accelerate", SETF_CACHE, SET_BOOL, "true", 0, 0,
	    TRUST_LOWER, SETS_WORKS, { NULL }, NULL, "Send entries by name to ipfs_accelerate peers." },
	{ "ipfs_accelerate_integration.accept_from_accelerate", SETF_CACHE, SET_BOOL, "true", 0, 0,
	    TRUST_LOWER, SETS_WORKS, { NULL }, NULL, "Take entries by name from ipfs_accelerate peers." },
	{ "upstream.url", SETF_CACHE, SET_STRING, "https://api.github.com", 0, 0, TRUST_NEVER, SETS_WORKS,
	    { "GITHUB_API_URL" }, NULL, "Where the GitHub API is." },
	{ "upstream.connect_timeout", SETF_CACHE, SET_SECONDS, "10", 1, 300, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Longest wait for a connection." },
	{ "upstream.tls_timeout", SETF_CACHE, SET_SECONDS, "10", 1, 300, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Longest wait for a TLS handshake." },
	{ "upstream.first_byte_timeout", SETF_CACHE, SET_SECONDS, "30", 1, 3600, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Longest wait for the first byte of an answer." },
	{ "upstream.timeout", SETF_CACHE, SET_SECONDS, "300", 1, 86400, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Longest time for a whole answer." },
	{ "codeql.enabled", SETF_CACHE, SET_BOOL, "true", 0, 0, TRUST_LOWER, SETS_WORKS,
	    { "ENABLE_CODEQL_CACHE" }, NULL, "Answer `codeql check` from stored results." },
	{ "codeql.directory", SETF_CACHE, SET_STRING, "~/.cache/codeql", 0, 0, TRUST_NEVER, SETS_WORKS,
	    { "CODEQL_CACHE_DIR" }, NULL, "The folder of CodeQL results." },
	{ "codeql.trusted_keys", SETF_CACHE, SET_LIST, "", 0, 0, TRUST_NEVER, SETS_WORKS,
	    { "GHOARD_CODEQL_TRUSTED_KEYS" }, NULL, "Ed25519 public keys whose signed results count." },
	{ "credentials.directory", SETF_CACHE, SET_STRING, "~/.credentials", 0, 0, TRUST_NEVER, SETS_WORKS,
	    { "CREDENTIALS_DIR" }, NULL, "The folder of the credential store." },
	{ "credentials.access", SETF_CACHE, SET_STRING, "prefer", 0, 0, TRUST_NEVER, SETS_WORKS, { NULL },
	    "require|prefer|off",
	    "Whether a token must be shown to have access; for cred, of /etc/ghoard alone." },
	{ "credentials.ca_file", SETF_CACHE, SET_STRING, "", 0, 0, TRUST_NEVER, SETS_WORKS, { NULL }, NULL,
	    "Trusted certificates of that question to GitHub; for cred, of /etc/ghoard alone." },
	{ "credentials.proxy", SETF_CACHE, SET_STRING, "", 0, 0, TRUST_NEVER, SETS_WORKS, { NULL }, NULL,
	    "HTTP proxy of that question to GitHub; for cred, of /etc/ghoard alone." },
	{ "credentials.key_cache", SETF_CACHE, SET_SECONDS, "300", 0, 86400, TRUST_NEVER, SETS_WORKS,
	    { NULL }, NULL,
	    "How long the kernel keeps an unlocked master key; for cred, of /etc/ghoard alone." },
	{ "daemon.socket", SETF_NONE, SET_STRING, "", 0, 0, TRUST_FREE, SETS_WORKS, { "GHOARD_SOCKET" }, NULL,
	    "The daemon's unix socket; default ghoard.sock in the cache folder." },
	{ "daemon.max_request_body", SETF_CACHE, SET_BYTES, "2GiB", KIB, (int64_t)64 * GIB, TRUST_FREE,
	    SETS_WORKS, { NULL }, NULL,
	    "Largest request body that the daemon passes on; to a larger one it says 413." },
	{ "network.proxy", SETF_NONE, SET_STRING, "", 0, 0, TRUST_FREE, SETS_WORKS,
	    { "HTTPS_PROXY", "https_proxy" }, NULL, "HTTP proxy for requests to GitHub." },
	{ "network.no_proxy", SETF_NONE, SET_STRING, "", 0, 0, TRUST_FREE, SETS_WORKS,
	    { "NO_PROXY", "no_proxy" }, NULL, "Hosts that are reached without the proxy." },
	{ "tls.ca_file", SETF_NONE, SET_STRING, "", 0, 0, TRUST_FREE, SETS_WORKS, { "SSL_CERT_FILE" }, NULL,
	    "File of trusted certificates (PEM)." },
	{ "tls.ca_dir", SETF_NONE, SET_STRING, "", 0, 0, TRUST_FREE, SETS_WORKS, { "SSL_CERT_DIR" }, NULL,
	    "Folders of trusted certificates." },
	{ "network.protocol_version", SETF_P2P, SET_STRING, "1.0.0", 0, 0, TRUST_FREE, SETS_FIXED, { NULL },
	    NULL, "Version of the peers' protocol." },
	{ "network.network_id", SETF_P2P, SET_STRING, "ipfs-datasets-py-cache", 0, 0, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Peers that name another network are left alone." },
	{ "network.listen.addresses", SETF_P2P, SET_LIST, "0.0.0.0", 0, 0, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Addresses the P2P listener binds." },
	{ "network.listen.port_range.start", SETF_P2P, SET_INT, "9000", 0, 65535, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "First port tried when p2p.listen_port is taken." },
	{ "network.listen.port_range.end", SETF_P2P, SET_INT, "9010", 0, 65535, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Last port tried." },
	{ "network.listen.transports", SETF_P2P, SET_LIST, "tcp", 0, 0, TRUST_FREE, SETS_FIXED, { NULL },
	    NULL, "TCP is the one transport." },
	{ "network.connections.max_peers", SETF_P2P, SET_INT, "20", 1, 64, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Most connected peers." },
	{ "network.connections.min_peers", SETF_P2P, SET_INT, "2", 0, 64, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Below so many peers, discovery goes on." },
	{ "network.connections.timeout", SETF_P2P, SET_SECONDS, "30", 1, 3600, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Longest wait for a peer's connection and handshake." },
	{ "network.connections.keepalive_interval", SETF_P2P, SET_SECONDS, "60", 1, 3600, TRUST_FREE,
	    SETS_WORKS, { NULL }, NULL, "Time between pings on a silent connection." },
	{ "discovery.enabled", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_WORKS, { NULL }, NULL,
	    "Look for peers." },
	{ "discovery.methods.github_cache_api", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Find peers through the Actions cache." },
	{ "discovery.methods.mdns", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_WORKS,
	    { "GHOARD_MDNS" }, NULL,
	    "Find peers on the LAN by multicast DNS; inside containers only where this is set." },
	{ "discovery.methods.dht", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_UNABLE, { NULL }, NULL,
	    "No DHT is joined." },
	{ "discovery.methods.bootstrap", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "Dial the bootstrap peers." },
	{ "discovery.methods.circuit_relay", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "Relays are not used." },
	{ "discovery.methods.autonat", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_UNABLE, { NULL },
	    NULL, "AutoNAT is not spoken." },
	{ "discovery.methods.hole_punching", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "NATs are not punched." },
	{ "discovery.github.repository", SETF_P2P, SET_STRING, "", 0, 0, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "OWNER/REPO whose Actions cache lists the peers; default GITHUB_REPOSITORY." },
	{ "discovery.github.peer_cache_key", SETF_P2P, SET_STRING, "p2p-peers", 0, 0, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Front of the keys in the Actions cache." },
	{ "discovery.github.peer_ttl_minutes", SETF_P2P, SET_INT, "15", 1, 1440, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Minutes after which a peer's record is ignored." },
	{ "discovery.github.discovery_interval", SETF_P2P, SET_SECONDS, "300", 30, 86400, TRUST_FREE,
	    SETS_WORKS, { NULL }, NULL, "Time between renewals of the own record." },
	{ "discovery.github.max_peers_per_query", SETF_P2P, SET_INT, "10", 1, 100, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "Most peers taken from one query." },
	{ "discovery.bootstrap_peers", SETF_P2P, SET_LIST, "", 0, 0, TRUST_FREE, SETS_WORKS, { NULL }, NULL,
	    "Multiaddresses dialled at start, besides p2p.bootstrap_peers." },
	{ "discovery.mdns.interval", SETF_P2P, SET_SECONDS, "5", 1, 300, TRUST_FREE, SETS_WORKS, { NULL },
	    NULL, "First time between two questions on the LAN; it doubles up to five minutes." },
	{ "discovery.mdns.ttl", SETF_P2P, SET_SECONDS, "120", 1, YEAR, TRUST_FREE, SETS_WORKS, { NULL }, NULL,
	    "Life of the record that the LAN is told." },
	{ "discovery.dht.bucket_size", SETF_P2P, SET_INT, "20", 0, 1000000, TRUST_FREE, SETS_UNABLE, { NULL },
	    NULL, "No DHT." },
	{ "discovery.dht.query_timeout", SETF_P2P, SET_SECONDS, "60", 0, YEAR, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "No DHT." },
	{ "discovery.relay.hop_limit", SETF_P2P, SET_INT, "3", 0, 1000000, TRUST_FREE, SETS_UNABLE, { NULL },
	    NULL, "No relays." },
	{ "discovery.relay.timeout", SETF_P2P, SET_SECONDS, "30", 0, YEAR, TRUST_FREE, SETS_UNABLE, { NULL },
	    NULL, "No relays." },
	{ "discovery.relay.relay_addrs", SETF_P2P, SET_LIST, "", 0, 0, TRUST_FREE, SETS_UNABLE, { NULL },
	    NULL, "No relays." },
	{ "discovery.autonat.enable_server", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "No AutoNAT." },
	{ "discovery.autonat.timeout", SETF_P2P, SET_SECONDS, "30", 0, YEAR, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "No AutoNAT." },
	{ "security.encryption.enabled", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_FIXED, { NULL },
	    NULL, "Messages are always sealed." },
	{ "security.encryption.algorithm", SETF_P2P, SET_STRING, "AES-256-GCM", 0, 0, TRUST_FREE, SETS_FIXED,
	    { NULL }, NULL, "Messages are sealed with AES-256-GCM." },
	{ "security.encryption.key_derivation.use_github_token", SETF_P2P, SET_BOOL, "true", 0, 0,
	    TRUST_LOWER, SETS_WORKS, { NULL }, NULL,
	    "Without CACHE_P2P_SHARED_SECRET, derive the group key from the token." },
	{ "security.encryption.key_derivation.pbkdf2_iterations", SETF_P2P, SET_INT, "100000", 0, 1000000000,
	    TRUST_FREE, SETS_FIXED, { NULL }, NULL, "Rounds of PBKDF2 for the group key." },
	{ "security.encryption.key_derivation.key_size", SETF_P2P, SET_INT, "256", 0, 1000000, TRUST_FREE,
	    SETS_FIXED, { NULL }, NULL, "Bits of the group key." },
	{ "security.access_control.verify_repository_access", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_TRUE,
	    SETS_WORKS, { NULL }, NULL,
	    "A peer's entry is served only after GitHub or its proof confirms it." },
	{ "security.access_control.trust_bootstrap", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_LOWER,
	    SETS_WORKS, { NULL }, NULL,
	    "Bootstrap peers from outside the checkout may speak the reference's form." },
	{ "security.access_control.peer_allowlist", SETF_P2P, SET_LIST, "", 0, 0, TRUST_NEVER, SETS_WORKS,
	    { NULL }, NULL, "Peer ids let in; none lets all in." },
	{ "security.access_control.peer_blocklist", SETF_P2P, SET_LIST, "", 0, 0, TRUST_TRUE, SETS_WORKS,
	    { NULL }, NULL, "Peer ids kept out." },
	{ "security.content_verification.verify_hashes", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE,
	    SETS_FIXED, { NULL }, NULL, "Bodies are always checked against their CID." },
	{ "security.content_verification.reject_invalid", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE,
	    SETS_FIXED, { NULL }, NULL, "A body that fails its check is always dropped." },
	{ "security.content_verification.max_content_size", SETF_P2P, SET_BYTES, "104857600", KIB, GIB,
	    TRUST_FREE, SETS_WORKS, { NULL }, NULL, "Largest body taken from a peer; 8 MiB at most." },
	{ "cache_protocol.protocol_id", SETF_P2P, SET_STRING, "/github-cache/1.0.0", 0, 0, TRUST_FREE,
	    SETS_FIXED, { NULL }, NULL, "Name of the peers' protocol." },
	{ "cache_protocol.message_types", SETF_P2P, SET_LIST,
	    "cache_entry,cache_request,cache_response,peer_info", 0, 0, TRUST_FREE, SETS_FIXED, { NULL },
	    NULL, "Messages of the protocol." },
	{ "cache_protocol.broadcast.enabled", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_LOWER, SETS_WORKS,
	    { NULL }, NULL, "Announce new entries to peers." },
	{ "cache_protocol.broadcast.strategy", SETF_P2P, SET_STRING, "all", 0, 0, TRUST_FREE, SETS_WORKS,
	    { NULL }, "all|random|closest", "To which peers entries are announced." },
	{ "cache_protocol.broadcast.peer_count", SETF_P2P, SET_INT, "5", 1, 64, TRUST_FREE, SETS_WORKS,
	    { NULL }, NULL, "To how many, unless to all." },
	{ "cache_protocol.broadcast.retry_count", SETF_P2P, SET_INT, "3", 0, 10, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "An announcement is sent once: who missed it asks by key." },
	{ "cache_protocol.sync.enabled", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_UNABLE, { NULL },
	    NULL, "Stores are not synchronised: entries are announced and asked for." },
	{ "cache_protocol.sync.interval", SETF_P2P, SET_SECONDS, "600", 0, YEAR, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "No synchronising." },
	{ "cache_protocol.sync.max_age", SETF_P2P, SET_SECONDS, "3600", 0, YEAR, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "No synchronising." },
	{ "performance.buffers.read_buffer", SETF_P2P, SET_BYTES, "65536", 0, GIB, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "Buffers have their own sizes." },
	{ "performance.buffers.write_buffer", SETF_P2P, SET_BYTES, "65536", 0, GIB, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "Buffers have their own sizes." },
	{ "performance.compression.enabled", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "Messages are not compressed." },
	{ "performance.compression.algorithm", SETF_P2P, SET_STRING, "gzip", 0, 0, TRUST_FREE, SETS_UNABLE,
	    { NULL }, NULL, "Messages are not compressed." },
	{ "performance.compression.level", SETF_P2P, SET_INT, "6", 0, 100, TRUST_FREE, SETS_UNABLE, { NULL },
	    NULL, "Messages are not compressed." },
	{ "performance.throttling.max_messages_per_sec", SETF_P2P, SET_INT, "100", 1, 1000000, TRUST_FREE,
	    SETS_WORKS, { NULL }, NULL, "Most messages a second from one peer." },
	{ "performance.throttling.max_bandwidth_per_peer", SETF_P2P, SET_BYTES, "10485760", KIB, GIB,
	    TRUST_FREE, SETS_WORKS, { NULL }, NULL, "Most bytes a second from one peer." },
	{ "ipfs_accelerate.enabled", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_LOWER, SETS_WORKS, { NULL },
	    NULL, "Count the network of ipfs_accelerate as our own." },
	{ "ipfs_accelerate.accept_accelerate_peers", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_LOWER,
	    SETS_WORKS, { NULL }, NULL, "Let peers speak the reference's form." },
	{ "ipfs_accelerate.shared_network_id", SETF_P2P, SET_STRING, "ipfs-github-cache", 0, 0, TRUST_FREE,
	    SETS_WORKS, { NULL }, NULL, "The network of ipfs_accelerate." },
	{ "ipfs_accelerate.compatible_protocols", SETF_P2P, SET_LIST,
	    "/github-cache/1.0.0,/ipfs-accelerate/cache/1.0.0", 0, 0, TRUST_FREE, SETS_FIXED, { NULL }, NULL,
	    "Protocols taken for our own." },
	{ "logging.level", SETF_P2P, SET_STRING, "info", 0, 0, TRUST_FREE, SETS_WORKS, { NULL },
	    "debug|info|warning|warn|error",
	    "Least severe messages that are logged; without it and --log-level, and where a checkout "
	    "asks for less: warn." },
	{ "logging.log_connections", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_FIXED, { NULL }, NULL,
	    "Peers that come and go are logged (at level info)." },
	{ "logging.log_cache_ops", SETF_P2P, SET_BOOL, "true", 0, 0, TRUST_FREE, SETS_WORKS, { NULL }, NULL,
	    "Accepted: look-ups and stores are counted, not logged." },
	{ "logging.log_messages", SETF_P2P, SET_BOOL, "false", 0, 0, TRUST_FREE, SETS_UNABLE, { NULL }, NULL,
	    "Peers' messages are counted, not logged." },
	{ "monitoring.metrics", SETF_P2P, SET_LIST,
	    "peer_count,message_count,bytes_sent,"
	    "bytes_received,cache_entries_shared,cache_entries_received",
	    0, 0, TRUST_FREE, SETS_WORKS, { NULL }, NULL, "Accepted: all counters are kept." },
};

#define ROWS (sizeof table / sizeof table[0])

const struct setting *table_find(const char *key)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(table[i].key, key) == 0)
			return &table[i];
	return NULL;
}

const struct setting *table_at(size_t i)
{
	return i < ROWS ? &table[i] : NULL;
}

bool table_is_section(const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < ROWS; i++)
		if (strncmp(table[i].key, key, n) == 0 && table[i].key[n] == '.')
			return true;
	return false;
}

static struct span last_part(const char *key)
{
	const char *dot = strrchr(key, '.');

	return span_of(dot ? dot + 1 : key);
}

/* One slip in four letters is still the same word; more is another. */
static size_t slips(struct span word)
{
	return word.n / 4 + 1;
}

const struct setting *table_nearest(const char *key)
{
	const struct setting *best = NULL;
	struct span whole = span_of(key), part = last_part(key);
	size_t least = slips(whole) + 1;

	for (size_t i = 0; i < ROWS; i++) {
		size_t d = span_distance(whole, span_of(table[i].key), least);
		if (d < least) {
			least = d;
			best = &table[i];
		}
	}
	if (best)
		return best;
	/* The right word in the wrong section, or in none. */
	least = slips(part) + 1;
	for (size_t i = 0; i < ROWS; i++) {
		size_t d = span_distance(part, last_part(table[i].key), least);
		if (d < least) {
			least = d;
			best = &table[i];
		}
	}
	return best;
}
