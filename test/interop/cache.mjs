// The official client of the Actions cache: WHAT is roundtrip (its public face), or send and receive, which
// move FILE as it is under KEY and VERSION by its own service client, uploader and downloader.
import * as fs from "node:fs";
import * as cache from "@actions/cache";

const lib = new URL("./node_modules/@actions/cache/lib/internal/", import.meta.url);
const { internalCacheTwirpClient } = await import(new URL("shared/cacheTwirpClient.js", lib));
const { downloadCache, saveCache } = await import(new URL("cacheHttpClient.js", lib));
const { WHAT: what, FILE: file, KEY: key, VERSION: version } = process.env;
const done = {};

if (what === "roundtrip") {
  fs.mkdirSync("kept", { recursive: true });
  fs.writeFileSync("kept/file", "kept by the official client");
  done.feature = cache.isFeatureAvailable();
  done.none = (await cache.restoreCache(["kept"], "a-1", ["a-"])) ?? null;
  done.id = await cache.saveCache(["kept"], "a-1");
  done.again = await cache.saveCache(["kept"], "a-1").catch((e) => e.name);
  await cache.saveCache(["kept"], "a-2");
  fs.rmSync("kept", { recursive: true });
  done.exact = (await cache.restoreCache(["kept"], "a-1", ["a-"])) ?? null;
  done.text = done.exact && fs.readFileSync("kept/file", "utf8");
  done.newest = (await cache.restoreCache(["kept"], "a-3", ["nothing-", "a-"])) ?? null;
  done.other = (await cache.restoreCache(["elsewhere"], "a-1", [])) ?? null;
} else if (what === "receive") {
  const found = await internalCacheTwirpClient().GetCacheEntryDownloadURL({ key, restoreKeys: [], version });
  done.key = found.matchedKey;
  await downloadCache(found.signedDownloadUrl, file);
} else {
  const client = internalCacheTwirpClient();
  const made = await client.CreateCacheEntry({ key, version });
  await saveCache(-1, file, made.signedUploadUrl, { useAzureSdk: true });
  const sizeBytes = `${fs.statSync(file).size}`;
  done.ok = (await client.FinalizeCacheEntryUpload({ key, version, sizeBytes })).ok;
}
fs.writeFileSync("done.json", JSON.stringify(done));
