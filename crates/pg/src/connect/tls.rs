//! TLS as libpq's `sslmode` means it, on rustls.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::conninfo::{RootCertificates, SslMode, TlsOptions};
use crate::fault::{Fault, Result, TLS};

fn bad(why: impl Into<String>) -> Fault {
    Fault::new(&TLS, why.into())
}

/// Reads the certificates that `options` name and makes the driver's connector.
pub(super) fn connector(options: &TlsOptions) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| bad("no usable TLS version").caused_by(e))?
        .dangerous()
        .with_custom_certificate_verifier(verifier(options, provider)?);
    let certificate = match &options.client_certificate {
        // Without TLS nobody asks for the files; they need not be readable.
        Some(_) if options.mode == SslMode::Disable => None,
        // As libpq: one that is not there is not sent, and the server decides.
        Some((certificate, _)) if !certificate.exists() => None,
        certificate => certificate.as_ref(),
    };
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = read_certificates(certificate)?;
            builder
                .with_client_auth_cert(chain, read_key(key)?)
                .map_err(|e| bad(format!("{}: {e}", certificate.display())).caused_by(e))?
        }
    };
    config.enable_sni = options.is_sni_sent;
    Ok(MakeRustlsConnect::new(config))
}

fn verifier(options: &TlsOptions, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    let is_verifying = matches!(options.mode, SslMode::VerifyCa | SslMode::VerifyFull);
    let roots = match &options.roots {
        _ if options.mode == SslMode::Disable => None,
        RootCertificates::None => None,
        RootCertificates::System => Some(read_system_roots()?),
        // As libpq: a file that is not there matters only to the modes that must verify.
        RootCertificates::File(path) if !is_verifying && !path.exists() => None,
        RootCertificates::File(path) => Some(read_certificates(path)?),
    };
    let Some(roots) = roots else {
        if is_verifying {
            return Err(bad(format!(
                "sslmode={} needs a root certificate: give sslrootcert=FILE or sslrootcert=system, or put one at \
                 ~/.postgresql/root.crt",
                options.mode.as_str()
            )));
        }
        return Ok(Arc::new(AcceptAny { provider }));
    };
    let mut store = RootCertStore::empty();
    // A system's store may hold a few that rustls cannot read; the others still count.
    store.add_parsable_certificates(roots.iter().cloned());
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
        .build()
        .map_err(|e| bad(format!("the root certificates cannot be used: {e}")).caused_by(e))?;
    Ok(Arc::new(Authority {
        inner,
        roots,
        is_name_checked: options.mode == SslMode::VerifyFull,
    }))
}

fn read_system_roots() -> Result<Vec<CertificateDer<'static>>> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = crate::ident::join(&found.errors, "; ");
        return Err(bad(format!(
            "the system's root certificates cannot be read: {why}"
        )));
    }
    Ok(found.certs)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let shown = path.display();
    let list = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|e| bad(format!("the certificates in {shown} cannot be read: {e}")))?;
    if list.is_empty() {
        return Err(bad(format!("there is no PEM certificate in {shown}")));
    }
    Ok(list)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let shown = path.display();
    refuse_readable_key(path)?;
    let pem = std::fs::read(path).map_err(|e| bad(format!("the private key {shown}: {e}")).caused_by(e))?;
    if is_encrypted(&pem) {
        return Err(bad(format!(
            "the private key in {shown} is encrypted, and Corridor asks nobody for a password; write one without: \
             `openssl pkey -in {shown} -out PLAIN.key`, mode 0600"
        )));
    }
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|e| bad(format!("the private key in {shown} cannot be read: {e}")))
}

/// PKCS #8 says it in the label, OpenSSL's older form in a header.
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

#[cfg(unix)]
fn refuse_readable_key(path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let shown = path.display();
    let meta =
        std::fs::metadata(path).map_err(|e| bad(format!("the private key {shown}: {e}")).caused_by(e))?;
    if !meta.is_file() {
        return Err(bad(format!("the private key {shown} is not a regular file")));
    }
    // libpq's rule: a key of root's may be readable by a group that root chose.
    let forbidden = if meta.uid() == 0 { 0o037 } else { 0o077 };
    if meta.mode() & forbidden != 0 {
        return Err(bad(format!(
            "the private key {shown} can be read by group or others (mode {:04o}); make it 0600 or less",
            meta.mode() & 0o7777
        )));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_readable_key(_path: &Path) -> Result<()> {
    Ok(())
}

/// `prefer` and `require` without a root certificate: encryption against listeners, no proof of who answers.
///
/// The handshake's signature is not checked either: whoever can bring any certificate can sign with its key. That
/// keeps servers with old (version 1) certificates reachable, as they are for libpq.
struct AcceptAny {
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for AcceptAny {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AcceptAny")
    }
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The certificate must come from one of `roots`; for `verify-full` it must be the host's too.
#[derive(Debug)]
struct Authority {
    inner: Arc<WebPkiServerVerifier>,
    roots: Vec<CertificateDer<'static>>,
    is_name_checked: bool,
}

impl ServerCertVerifier for Authority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.inner
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // The chain is checked before the name, so a wrong name means a good chain.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.is_name_checked => Ok(ServerCertVerified::assertion()),
            // A self-signed certificate that is trusted by itself: `openssl req -x509` marks it as an authority, which
            // rustls does not accept of a server. Its dates are checked before its kind, so they are good.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(why)))
                if is_authority_as_server(&why) && self.roots.iter().any(|root| root == end_entity) =>
            {
                if self.is_name_checked {
                    let parsed = rustls::server::ParsedCertificate::try_from(end_entity)?;
                    rustls::client::verify_server_name(&parsed, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// rustls hands webpki's own error through without a name of its own for it (rustls 0.23).
fn is_authority_as_server(why: &rustls::OtherError) -> bool {
    format!("{:?}", why.0).contains("CaUsedAsEndEntity")
}
