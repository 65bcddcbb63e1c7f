#include "../guard.h"
#include "bytes.h"
#include "p2p/peerid.h"

/* specs/peer-ids/peer-ids.md "Test vectors" (public keys), and the ids that follow */
static const struct {
	enum peerid_key_type type;
	const char *key, *id, *cid;
} cases[] = { { PEERID_ED25519, "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
		  "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
		  "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6" },
	{ PEERID_SECP256K1, "08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99",
	    "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY", NULL },
	{ PEERID_ECDSA,
	    "0803125b3059301306072a8648ce3d020106082a8648ce3d03010703420004de3d300fa36ae0e8f5d530899d83"
	    "abab44abf3161f162a4bc901d8e6ecda020e8b6d5f8da30525e71d6851510c098e5c47c646a597fb4dcec034e9f"
	    "77c409e62",
	    "QmVMT29id3TUASyfZZ6k9hmNyc2nYabCo4uMSpDw4zrgDk", NULL } };

static bool parse_key(const uint8_t *p, size_t n, struct peerid_key *key)
{
	return peerid_key_parse(span_make(guard_put(p, n), n), key);
}

static bool parse(struct peerid *id, const char *text)
{
	return peerid_parse(id, span_make(guard_put(text, strlen(text)), strlen(text)));
}

static void test_vectors(void **state)
{
	uint8_t room[200], pub[32];
	char text[PEERID_TEXT_MAX];
	struct peerid id, back;
	struct peerid_key key;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = bytes_of(cases[i].key, room, sizeof(room));

		assert_true(parse_key(room, n, &key));
		assert_int_equal(key.type, cases[i].type);
		peerid_of_key(&id, span_make(room, n));
		peerid_text(&id, text);
		assert_string_equal(text, cases[i].id);
		assert_true(parse(&back, cases[i].id));
		assert_true(peerid_same(&id, &back));
		peerid_cid(&id, text);
		if (cases[i].cid)
			assert_string_equal(text, cases[i].cid);
		assert_true(parse(&back, text));
		assert_true(peerid_same(&id, &back));
		assert_true(peerid_decode(&back, peerid_span(&id)));
		assert_int_equal(peerid_ed25519(&id, pub), cases[i].type == PEERID_ED25519);
	}
	bytes_of(cases[0].key, room, sizeof(room));
	peerid_of_ed25519(&id, room + 4);
	peerid_text(&id, text);
	assert_string_equal(text, cases[0].id);
	assert_true(peerid_ed25519(&id, pub));
	assert_memory_equal(pub, room + 4, 32);
}

/* The spec's examples, the second in upper-case multibase too. */
static void test_examples(void **state)
{
	static const char *const good[] = { "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
		"12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
		"bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe",
		"BAFZBEIE5745RPV2M6TJYUUGYWY4D5EWRQGQQHFNF445HE3OMZPJBX5XQXE" };
	struct peerid id, other;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(parse(&id, good[i]));
	assert_true(parse(&other, good[2]) && peerid_same(&id, &other));
	assert_true(parse(&other, good[0]) && peerid_same(&id, &other));
	assert_int_equal(peerid_cmp(&id, &other), 0);
	assert_true(parse(&other, good[1]) && !peerid_same(&id, &other));
	assert_true(peerid_cmp(&id, &other) * peerid_cmp(&other, &id) < 0);
}

/* One id in every text form that is read. */
static void test_forms(void **state)
{
	static const struct {
		const char *id, *forms[6];
	} table[] = {
		{ "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq",
		    { "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6",
			"k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe",
			"K51QZI5UQU5DGY8QSQ67HBZ73JQKW87L3FGF4A91QB0D9B5173TIR7N4VXK1OE",
			"z5AanNVJCxnGuh8TJu4nye3dE3NbxAd8FB9cr46uVagyFPuibMxok2R",
			"f01720024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
			"F01720024080112201ED1E8FAE2C4A144B8BE8FD4B47BF3D3B34B871C3CACF6010F0E42D474FCE27"
			"E" } },
		{ "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
		    { "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe",
			"k2k4r8ncs1yoluq95unsd7x2vfhgve0ncjoggwqx9vyh3vl8warrcp15",
			"zdvgqC3jczfCwLUoSyWT8GLc5UZ9aG4RkAg7XAfidRbX9qVj6",
			"f017212209dff3b17d74cf4d38a50d8b6383e92d181a10395a5e73a726dcccbd21bf6f0b9" } }
	};
	char text[PEERID_TEXT_MAX];
	struct peerid id, other;

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		assert_true(parse(&id, table[i].id));
		peerid_cid(&id, text);
		assert_string_equal(text, table[i].forms[0]);
		for (size_t k = 0; k < COUNT(table[i].forms) && table[i].forms[k] != NULL; k++) {
			assert_true(parse(&other, table[i].forms[k]) && peerid_same(&id, &other));
			peerid_text(&other, text);
			assert_string_equal(text, table[i].id);
		}
	}
	/* another codec, another version, a letter too many */
	assert_false(parse(&id, "kzwfwjn5ji4puwwcgzqw8qe2yanqf1pkg6qc2jdcjxv2j5h8ngs32xi8cqxjzyq"));
	assert_false(parse(&id, "k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe0"));
	assert_false(parse(&id, "k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1o-"));
	assert_false(parse(&id, "k"));
}

static void test_no_ids(void **state)
{
	static const char *const bad[] = { "", "1", "Qm",
		"12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3p",
		"12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pqq",
		"12D3KooW0tg3aaRMjxwedh83aGiUkwSxDwUZkzuJ",
		"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", /* a CID of bytes */
		"bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt", "f017200", "f0172",
		"f01721220", "f0172122000", "xyz", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5" };
	static const char *const hashes[] = { "", "00", "0001", "000100", "1220", "1120aaaa", "122100",
		"00240801122000",
		"0024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e00" };
	uint8_t room[100];
	struct peerid id;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(parse(&id, bad[i]));
	for (size_t i = 0; i < COUNT(hashes); i++) {
		size_t n = bytes_of(hashes[i], room, sizeof(room));

		assert_false(peerid_decode(&id, span_make(guard_put(room, n), n)));
		assert_int_equal(id.n, 0);
	}
}

/* Only the one form: no other order, no more fields, no longer numbers, no other sizes. */
static void test_no_keys(void **state)
{
	static const char *const bad[] = { "", "0801", "08011220",
		"12201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e0801",
		"088100122000",
		"08011a201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
		"080112a0001ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
		"080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce2",
		"080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e00",
		"0801121f1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce2",
		"080412201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
		"08021221047777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99",
		"080012201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e" };
	uint8_t room[200];
	struct peerid_key key;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(parse_key(room, bytes_of(bad[i], room, sizeof(room)), &key));
	assert_string_equal(peerid_key_name(PEERID_ECDSA), "ECDSA");
}

/* multiformats/multihash: which of the published values are ids is decided by kind and length alone. */
static void test_multihashes(void **state)
{
	struct buf b;
	struct span rest, line, algorithm, bits, input, hash;
	struct peerid id;
	uint8_t room[200];
	unsigned taken = 0, seen = 0;

	(void)state;
	bytes_shared("multiformats/multihash.csv", &b);
	rest = buf_span(&b);
	span_cut(&rest, '\n', &line);
	while (span_cut(&rest, '\n', &line)) {
		if (!span_cut(&line, ',', &algorithm) || !span_cut(&line, ',', &bits) ||
		    !span_cut(&line, ',', &input))
			continue;
		hash = span_trim(line);
		if (hash.n == 0 || hash.n / 2 > sizeof(room) || !hex_decode(room, hash.n / 2, hash))
			continue;
		seen++;
		bool want = span_eq(algorithm, "sha2-256") && span_eq(bits, "256");
		assert_int_equal(peerid_decode(&id, span_make(guard_put(room, hash.n / 2), hash.n / 2)),
		    want);
		taken += want;
	}
	buf_free(&b);
	assert_true(seen > 10 && taken > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_no_ids),
		cmocka_unit_test(test_no_keys),
		cmocka_unit_test(test_multihashes),
	};

	return cmocka_run_group_tests_name("p2p/peerid", tests, NULL, NULL);
}
