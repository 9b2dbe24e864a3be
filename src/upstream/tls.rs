//! TLS as the operating system trusts: its roots are read when the first certificate is looked at, not at the start.
//! Reading them takes longer than everything else that a start does, and a start answers from local state alone.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::sync::{Arc, OnceLock};

/// What an HTTP client needs for TLS: the ring provider, HTTP/2 before HTTP/1.1, nothing sent early (0-RTT).
///
/// # Errors
/// Where the provider has no TLS version that is safe.
pub(super) fn config() -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Platform {
        provider: Arc::clone(&provider),
        verifier: OnceLock::new(),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The platform's verifier, made at its first use. Without it no certificate is taken.
#[derive(Debug)]
struct Platform {
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Result<Verifier, Error>>,
}

impl Platform {
    fn verifier(&self) -> Result<&Verifier, Error> {
        let made = self
            .verifier
            .get_or_init(|| Verifier::new(Arc::clone(&self.provider)));
        made.as_ref().map_err(Clone::clone)
    }
}

impl ServerCertVerifier for Platform {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier()?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_nobody_signed_is_not_taken() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let platform = Platform {
            provider,
            verifier: OnceLock::new(),
        };
        let name = ServerName::try_from("app.crosstrade.io").unwrap();
        let nonsense = CertificateDer::from(vec![0x30, 0x03, 0x02, 0x01, 0x01]);
        let verdict = platform.verify_server_cert(&nonsense, &[], &name, &[], UnixTime::now());
        assert!(verdict.is_err());
        assert!(!platform.supported_verify_schemes().is_empty());
    }
}
