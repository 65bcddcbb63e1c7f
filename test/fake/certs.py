"""The test CA: good certificates, and one bad certificate for every way a handshake must fail."""

import datetime
import functools
import ipaddress
import pathlib
import ssl
import subprocess
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOSTS = ("localhost", "api.github.test", "uploads.github.test", "codeload.github.test")
DAY = datetime.timedelta(days=1)

# kind -> key type of the leaf, key types of the issuers (root last), and what is wrong with it
KINDS = {
    "good": dict(key="p256", chain=["p256"]),
    "rsa": dict(key="rsa", chain=["rsa"]),
    "p384": dict(key="p384", chain=["p384"]),
    "p256-chain": dict(key="p256", chain=["p256", "p256"]),
    "rsa-chain": dict(key="rsa", chain=["rsa", "rsa"]),
    "p384-chain": dict(key="p384", chain=["p384", "p384"]),
    "mixed-chain": dict(key="p256", chain=["rsa", "rsa"]),
    "wildcard": dict(key="p256", chain=["p256"], hosts=["*.github.test"]),
    "ip": dict(key="p256", chain=["p256"], hosts=["127.0.0.1"]),
    "github": dict(
        key="p256",
        chain=["p256"],
        hosts=["api.github.com", "codeload.github.com", "uploads.github.com", "*.githubusercontent.com"],
    ),
    "expired": dict(key="p256", chain=["p256"], days=(-30, -1)),
    "future": dict(key="p256", chain=["p256"], days=(2, 30)),
    "wrong-host": dict(key="p256", chain=["p256"], hosts=["example.test"]),
    "unknown-ca": dict(key="p256", chain=["other"]),
    "self-signed": dict(key="p256", chain=[]),
    "missing-intermediate": dict(key="p256", chain=["p256", "p256"], send=1),
    "not-a-ca": dict(key="p256", chain=["leaf", "p256"]),
    "rsa1024": dict(key="rsa1024", chain=["rsa"]),
    "sha1": dict(key="rsa", chain=["rsa"], sha1=True),
}
# ways to speak TLS that a client of TLS 1.2 with modern suites cannot answer
PROTOCOLS = ("tls13", "tls11", "cbc", "rsa-kx")


def new_key(kind):
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:] or 2048))
    return ec.generate_private_key({"p384": ec.SECP384R1()}.get(kind, ec.SECP256R1()))


def pem(thing):
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(serialization.Encoding.PEM)
    return thing.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class Authority:
    """Makes roots when asked for, and keeps what it made below one folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.root = functools.lru_cache(self._root)
        self.leaf = functools.lru_cache(self._leaf)
        self.context = functools.lru_cache(self._context)

    def _root(self, kind):
        key = new_key(kind)
        return self._certificate(f"stand-in root {kind}", key, None, ca=True), key

    @functools.cached_property
    def bundle(self):
        """The file for SSL_CERT_FILE: the roots that are trusted."""
        path = self.folder / "ca.pem"
        path.write_bytes(b"".join(pem(self.root(kind)[0]) for kind in ("p256", "rsa", "p384")))
        return path

    @functools.cached_property
    def other_bundle(self):
        """A file for SSL_CERT_FILE that trusts nobody we use."""
        path = self.folder / "other-ca.pem"
        path.write_bytes(pem(self.root("other")[0]))
        return path

    def _certificate(self, name, key, issuer, ca=False, hosts=(), days=(-2, 365)):
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        parent, parent_key = issuer or (None, key)
        digest = (
            hashes.SHA384()
            if getattr(getattr(parent_key, "curve", None), "name", "") == "secp384r1"
            else hashes.SHA256()
        )
        build = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(parent.subject if parent else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(parent_key.public_key()), critical=False
            )
        )
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        usage |= dict(
            digital_signature=not ca,
            key_cert_sign=ca,
            crl_sign=ca,
            key_encipherment=not ca and isinstance(key, rsa.RSAPrivateKey),
        )
        build = build.add_extension(x509.KeyUsage(**usage), critical=True)
        if hosts:
            build = build.add_extension(
                x509.SubjectAlternativeName([_general_name(h) for h in hosts]), critical=False
            )
            build = build.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
        return build.sign(parent_key, digest)

    def _leaf(self, kind):
        """(certificate file, key file) of a kind; the certificate file holds what the server sends."""
        plan = KINDS[kind]
        issuers, above = [], None
        for step, key_kind in enumerate(reversed(plan["chain"])):
            if step == 0:
                above = self.root(key_kind)
            else:
                key = new_key("p256" if key_kind == "leaf" else key_kind)
                cert = self._certificate(f"stand-in intermediate {kind}", key, above, ca=key_kind != "leaf")
                issuers.insert(0, cert)
                above = (cert, key)
        key = new_key(plan["key"])
        hosts = plan.get("hosts", HOSTS)
        if plan.get("sha1"):
            cert = self._sha1(kind, key, above, hosts)
        else:
            cert = self._certificate(hosts[0], key, above, hosts=hosts, days=plan.get("days", (-2, 90)))
        sent = [cert, *issuers][: plan.get("send")]
        cert_file, key_file = self.folder / f"{kind}.pem", self.folder / f"{kind}.key"
        cert_file.write_bytes(b"".join(map(pem, sent)))
        key_file.write_bytes(pem(key))
        return cert_file, key_file

    def _sha1(self, kind, key, issuer, hosts):
        """The cryptography package signs nothing with SHA-1 any more; the openssl command does."""
        base = self.folder / f"{kind}-made"
        csr = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])]))
            .sign(key, hashes.SHA256())
        )
        base.with_suffix(".csr").write_bytes(csr.public_bytes(serialization.Encoding.PEM))
        base.with_suffix(".ca").write_bytes(pem(issuer[0]))
        base.with_suffix(".cakey").write_bytes(pem(issuer[1]))
        base.with_suffix(".ext").write_text(
            "basicConstraints=critical,CA:FALSE\nsubjectAltName=" + ",".join(f"DNS:{h}" for h in hosts) + "\n"
        )
        out = subprocess.run(
            [
                "openssl",
                "x509",
                "-req",
                "-sha1",
                "-days",
                "90",
                "-in",
                f"{base}.csr",
                "-CA",
                f"{base}.ca",
                "-CAkey",
                f"{base}.cakey",
                "-set_serial",
                "7",
                "-extfile",
                f"{base}.ext",
            ],
            check=True,
            capture_output=True,
            timeout=20,
        ).stdout
        return x509.load_pem_x509_certificate(out)

    def _context(self, kind):
        """A server context: KINDS choose the certificate, PROTOCOLS the version or the suites."""
        cert, key = self.leaf("rsa" if kind in ("cbc", "rsa-kx") else kind if kind in KINDS else "good")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        # Session ids, so that resumption needs no ticket; the cache is on in a server context by default.
        context.options |= ssl.OP_NO_TICKET
        if kind == "tls13":
            context.maximum_version = context.minimum_version = ssl.TLSVersion.TLSv1_3
        elif kind == "tls11":
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
        elif kind == "cbc":
            context.set_ciphers("ECDHE-RSA-AES128-SHA:AES128-SHA:AES256-SHA256")
        elif kind == "rsa-kx":
            context.set_ciphers("AES128-GCM-SHA256:AES256-GCM-SHA384")
        elif kind in ("sha1", "rsa1024"):
            context.set_ciphers("ECDHE+AESGCM:@SECLEVEL=0")
        context.load_cert_chain(cert, key)
        return context


def _general_name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
