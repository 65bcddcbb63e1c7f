"""Writes the SPDX 2.3 bill of materials of one release:
what is linked in, from which file, under which licence.

    sbom.py VERSION ARCH DATE BINARY

In the environment MUSL says the version of the musl that came with Alpine's compiler, BUILDER which image
built it.
"""

import hashlib
import json
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# name, who made it, licence, what of it is linked in
LIBRARIES = {
    "bearssl": (
        "BearSSL",
        "Thomas Pornin",
        "MIT",
        "TLS client, hashes, AEADs; the linker takes what is used",
    ),
    "cjson": ("cJSON", "Dave Gamble and others", "MIT", "all"),
    "libyaml": ("libyaml", "Kirill Simonov and others", "MIT", "the parser"),
    "libsodium": ("libsodium", "Frank Denis", "ISC", "subset: the arithmetic of Curve25519"),
    "zlib": ("zlib", "Jean-loup Gailly and Mark Adler", "Zlib", "subset: deflate"),
    "musl": ("musl", "Rich Felker and others", "MIT", "the C library"),
}


def pins():
    """(library, part, file, sha256) of each pinned file."""
    with open(os.path.join(HERE, "pins")) as rows:
        return [tuple(row.split()) for row in rows if not row.startswith("#")]


def upstream(name):
    return re.sub(r"([+.]dfsg[^_]*)?\.orig\..*$", "", name.split("_", 1)[1])


def library(name):
    title, maker, licence, part = LIBRARIES[name]
    mine = [row for row in pins() if row[0] == name]
    package = {
        "SPDXID": f"SPDXRef-{title}",
        "name": title,
        "versionInfo": upstream(mine[0][2]),
        "supplier": f"Person: {maker}",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": licence,
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        "comment": part,
        "packageFileName": mine[0][2],
        "checksums": [{"algorithm": "SHA256", "checksumValue": mine[0][3]}],
    }
    if name == "musl" and os.environ.get("MUSL"):
        package["versionInfo"] = os.environ["MUSL"]
        package["supplier"] = "Organization: Alpine Linux"
        package["externalRefs"] = [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:apk/alpine/musl@{os.environ['MUSL']}?arch={sys.argv[2]}",
            }
        ]
        del package["packageFileName"], package["checksums"]
    if len(mine) > 1:
        package["sourceInfo"] = "patched with " + ", ".join(
            f"{row[2]} (sha256 {row[3]})" for row in mine[1:]
        )
    return package


def main():
    version, arch, date, binary = sys.argv[1:]
    with open(binary, "rb") as data:
        digest = hashlib.sha256(data.read()).hexdigest()
    names = dict.fromkeys(row[0] for row in pins())
    packages = [library(name) for name in names]
    builder = os.environ.get("BUILDER") or "the distribution's compiler"
    program = {
        "SPDXID": "SPDXRef-ghoard",
        "name": "ghoard",
        "versionInfo": version,
        "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "MIT",
        "licenseDeclared": "MIT",
        "copyrightText": "NOASSERTION",
        "sourceInfo": f"built with {builder}",
        "primaryPackagePurpose": "APPLICATION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest}],
    }
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"ghoard-{version}-linux-{arch}",
        "documentNamespace": f"https://spdx.org/spdxdocs/ghoard-{version}-linux-{arch}-{digest}",
        "creationInfo": {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(date))),
            "creators": [f"Tool: ghoard-dist-{version}"],
        },
        "packages": [program] + packages,
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-ghoard",
            }
        ]
        + [
            {
                "spdxElementId": "SPDXRef-ghoard",
                "relationshipType": "STATIC_LINK",
                "relatedSpdxElement": one["SPDXID"],
            }
            for one in packages
        ],
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
