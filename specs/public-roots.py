#!/usr/bin/env python3
"""Writes public-roots.txt: SHA-256 of the CA certificates that Debian and the JDK ship.

  public-roots.py BUNDLE... > public-roots.txt

Each BUNDLE is a PEM file (Debian: /etc/ssl/certs/ca-certificates.crt) or the cacerts of a JDK, which `keytool` reads. If an
older public-roots.txt is given too, its lines are kept, because many stores still hold roots that were removed from the bundles.
"""
import base64, hashlib, re, subprocess, sys

roots = {}
for path in sys.argv[1:]:
    data = open(path, "rb").read()
    text = data.decode("utf-8", "replace")
    for line in text.splitlines():
        if re.fullmatch(r"[0-9a-f]{64}", line.split("  ")[0]):
            roots.setdefault(*line.split("  ", 1))
    if "-----BEGIN CERTIFICATE-----" not in text:
        asked = ["keytool", "-list", "-rfc", "-keystore", path, "-storepass", "changeit"]
        known = subprocess.run(asked, capture_output=True, text=True)
        text = known.stdout if known.returncode == 0 else ""
    for body in re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", text, re.S):
        der = base64.b64decode(body)
        said = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "RFC2253,utf8,-esc_msb"],
                              input=der, capture_output=True, check=True).stdout.decode("utf-8", "replace")
        roots.setdefault(hashlib.sha256(der).hexdigest(), said.removeprefix("subject=").strip())

print("# SHA-256 of the CA certificates that Debian and the JDK ship, and their subjects. Made by public-roots.py.")
for fingerprint in sorted(roots):
    print(f"{fingerprint}  {roots[fingerprint]}")
