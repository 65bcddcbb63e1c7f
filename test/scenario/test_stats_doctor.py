"""`ghoard stats` and `ghoard doctor`."""

import json
import os
import pathlib
import re

import pytest
from rig import ISSUES, REPO

# ---- stats


def test_stats_agree_with_what_reached_github(ghoard, fake):
    ghoard("api", ISSUES, rc=0)
    ghoard("api", ISSUES, rc=0)
    ghoard("api", ISSUES, "--refresh", rc=0)
    found = ghoard("stats", "--json", rc=0).json
    assert found == ghoard("stats", "--format", "json", rc=0).json
    assert found["total_requests"] == 3 and found["local_hits"] == 1
    assert found["cache_size"] == len(ghoard.entries()) == 1
    assert found["api_calls_saved"] == 3 - fake.count(billable=True)
    assert found["connected_peers"] == 0 and found["p2p_enabled"] is False


def test_every_format_tells_the_same(ghoard):
    ghoard("api", ISSUES, rc=0)
    ghoard("api", ISSUES, rc=0)
    assert re.search(rb"^total_requests +2$", ghoard("stats", rc=0).out, re.M)
    prometheus = ghoard("stats", "--format", "prometheus", rc=0).out.decode()
    assert re.search(r"^ghoard_\w*requests\w* 2$", prometheus, re.M) and "# TYPE" in prometheus
    markdown = ghoard("stats", "--format", "markdown", rc=0).out.decode()
    assert re.search(r"^\|.*requests.*\| *2 *\|", markdown, re.M | re.I)


def test_the_summary_is_appended(ghoard, tmp_path):
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    ghoard("stats", "--summary", env={"GITHUB_STEP_SUMMARY": file}, rc=0)
    text = file.read_text()
    assert text.startswith("before\n") and text.removeprefix("before\n") == ghoard(
        "stats", "--format", "markdown", rc=0
    ).out.decode()
    assert "GITHUB_STEP_SUMMARY" in ghoard("stats", "--summary", rc=2).one_line()


@pytest.mark.parametrize("args", [["x"], ["--format", "xml"], ["--json", "--format", "text"]])
def test_wrong_usage(ghoard, args):
    assert ghoard("stats", *args, rc=2).one_line()


def test_stats_where_no_folder_can_be_made(ghoard, tmp_path):
    (tmp_path / "file").write_text("x")
    run = ghoard("stats", "--json", "--cache-dir", tmp_path / "file", rc=0)
    assert run.json["total_requests"] == 0 and run.one_line()


# ---- doctor


def look(ghoard, *args, rc=0, **more):
    """{what: (result, finding, remedy)}"""
    found = ghoard("doctor", "--json", *args, rc=rc, **more).json
    return {f["what"]: (f["result"], f["finding"], f.get("remedy", "")) for f in found}


def test_all_is_well(ghoard, fake):
    found = look(ghoard)
    assert {r for r, _, _ in found.values()} == {"ok"}, found
    assert {"kernel", "random numbers", "cache folder", "disk space", "entries", "writing"} <= set(found)
    assert {"configuration", "CA bundle", "token", "upstream", "GitHub", "clock"} <= set(found)
    anchors = pathlib.Path(fake.ca).read_text().count("BEGIN CERTIFICATE")
    assert found["CA bundle"][1] == f"{anchors} certificates in {fake.ca}"
    assert "mode 700" in found["cache folder"][1] and str(ghoard.cache) in found["cache folder"][1]
    assert fake.count("/rate_limit") == fake.count() == 1 and fake.count(billable=True) == 0
    assert not [p for p in ghoard.cache.iterdir() if p.name.startswith("doctor")]


def test_text_has_a_line_a_finding(ghoard):
    lines = ghoard("doctor", rc=0).out.decode().splitlines()
    assert len(lines) == len(look(ghoard)) and all(re.match(r"(ok|warn|fail) +[\w ]+: \S", l) for l in lines)


def test_offline_nobody_is_asked(ghoard, fake):
    assert "offline" in look(ghoard, offline=True)["GitHub"][1] and fake.count() == 0


@pytest.mark.parametrize(
    "token, result, word",
    [
        ("ghp_" + "a1" * 18, "ok", "classic"),
        ("github_pat_" + "a1" * 18, "ok", "fine-grained"),
        ("gho_" + "a1" * 18, "ok", "OAuth"),
        ("ghu_" + "a1" * 18, "ok", "user"),
        ("ghs_" + "a1" * 18, "ok", "installation"),
        ("ghr_" + "a1" * 18, "fail", "refresh"),
        ("a1" * 20, "ok", "unknown"),
        (None, "warn", "none"),
    ],
)
def test_the_token_s_kind_and_nothing_of_the_token(ghoard, token, result, word):
    run = ghoard("doctor", "--json", "--offline", token=token, rc=1 if result == "fail" else 0)
    found = {f["what"]: f for f in run.json}
    assert found["token"]["result"] == result and word in found["token"]["finding"]
    assert b"a1" * 4 not in run.out and "a1" * 4 not in run.err
    assert ("peers" in found) == (token or "").startswith("ghs_")
    if token:
        found = look(ghoard, "--offline", token=None, env={"GITHUB_TOKEN": token}, rc=run.rc)
        assert "GITHUB_TOKEN" in found["token"][1]


def test_a_token_that_github_refuses(ghoard):
    found = look(ghoard, token="nobody-knows-it", rc=1)
    assert found["GitHub"][0] == "fail" and "401" in found["GitHub"][1]


def test_the_shared_secret(ghoard):
    what = "CACHE_P2P_SHARED_SECRET"
    secret = "correct horse battery staple 42 !"
    run = ghoard("doctor", "--json", "--offline", env={what: secret}, rc=0)
    found = {f["what"]: f for f in run.json}
    assert found[what]["result"] == "warn" and "read every body" in found[what]["finding"]
    assert secret.encode() not in run.out
    found = look(ghoard, "--offline", env={what: secret[:31]}, rc=1)
    assert found[what][0] == "fail" and "openssl rand" in found[what][2]
    assert what not in look(ghoard, "--offline")
    assert "peers" not in look(ghoard, "--offline", token="ghs_x", env={what: secret})


def test_github_cannot_be_reached(ghoard, fake):
    fake.down("tls")
    found = look(ghoard, rc=1)
    assert found["GitHub"][0] == "fail" and fake.url in found["GitHub"][1] and found["GitHub"][2]
    assert "clock" not in found


def test_a_name_that_does_not_resolve(ghoard):
    found = look(ghoard, env={"GITHUB_API_URL": "https://nowhere.invalid"}, rc=1)
    assert "nowhere.invalid" in found["GitHub"][1] and "resolve" in found["GitHub"][1]


def test_a_clock_that_is_off(ghoard, fake):
    fake.alter("/rate_limit", headers={"Date": "Sun, 06 Nov 1994 08:49:37 GMT"}, remove=["Date"])
    found = look(ghoard)
    assert found["clock"][0] == "warn" and "ahead" in found["clock"][1]


def test_no_rate_limit_left(ghoard, fake):
    fake.alter("/rate_limit", headers={"X-RateLimit-Remaining": "0"}, remove=["X-RateLimit-Remaining"])
    found = look(ghoard)
    assert found["GitHub"][0] == "warn" and "spent" in found["GitHub"][1]


def test_no_ca_bundle(ghoard, tmp_path):
    found = look(ghoard, "--offline", env={"SSL_CERT_FILE": tmp_path / "none.pem"}, rc=1)
    assert found["CA bundle"][0] == "fail" and "ca-certificates" in found["CA bundle"][2]


def test_broken_settings(ghoard):
    (ghoard.project / ".github").mkdir()
    (ghoard.project / ".github" / "cache-config.yml").write_text("cache:\n  max_sise: 1\n")
    found = look(ghoard, rc=1)
    assert found["configuration"][0] == "fail" and "max_size" in found["configuration"][1]
    (ghoard.project / ".github" / "cache-config.yml").write_text("cache:\n  persistence: false\n")
    found = look(ghoard)
    assert "cache-config.yml" in found["configuration"][1] and found["cache"][0] == "warn"


def test_a_folder_that_cannot_be_used(ghoard, tmp_path):
    (tmp_path / "file").write_text("x")
    found = look(ghoard, "--cache-dir", tmp_path / "file", rc=1)
    assert found["cache folder"][0] == "fail" and found["GitHub"][0] == "ok"
    if os.geteuid() == 0:
        (tmp_path / "theirs").mkdir()
        os.chown(tmp_path / "theirs", 12345, 12345)
        found = look(ghoard, "--cache-dir", tmp_path / "theirs", rc=1)
        assert "another user" in found["cache folder"][1]


def test_too_many_entries(ghoard):
    for n in range(8):
        ghoard("cache", "put", "op", str(n), input=b"1", rc=0)
    found = look(ghoard, "--offline", env={"GITHUB_CACHE_SIZE": "5"})
    assert found["entries"][0] == "warn" and "gc" in found["entries"][2]


def test_the_proxy(ghoard):
    for upstream in (ghoard.url, "https://api.github.com"):
        through = {"HTTPS_PROXY": "http://me:hush@proxy:3128", "GITHUB_API_URL": upstream}
        found = look(ghoard, "--offline", env=through)
        assert "proxy:3128" in found["proxy"][1] and "hush" not in json.dumps(found)
        assert ("passed by" in found["proxy"][1]) == (upstream == ghoard.url)
    found = look(ghoard, "--offline", env={"HTTPS_PROXY": "socks5://proxy:1"}, rc=1)
    assert found["proxy"][0] == "fail"


def test_where_it_runs(ghoard):
    in_actions = {"GITHUB_ACTIONS": "true", "RUNNER_ENVIRONMENT": "github-hosted"}
    assert "hosted" in look(ghoard, "--offline", env=in_actions)["GitHub Actions"][1]
    in_actions["RUNNER_ENVIRONMENT"] = "self-hosted"
    assert "one's own" in look(ghoard, "--offline", env=in_actions)["GitHub Actions"][1]
    assert "GitHub Actions" not in look(ghoard, "--offline")


def test_doctor_takes_no_operands(ghoard):
    assert ghoard("doctor", REPO, rc=2).one_line()
