//! A TLS handshake that only records the chain. The verifier refuses no certificate: an expired one, a weak one, one of
//! version 1 or one with an obsolete signature is still the one that the service presents, and that is all that is
//! asked. No application data is ever sent or read.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, InvalidMessage, SignatureScheme};
use trustmason_spec::name::Fqdn;

use super::error::EndpointErrorCause;
use super::{PresentedChain, left};

/// More bytes than any chain with its handshake needs.
const MOST_BYTES: usize = 256 * 1024;
/// How many bytes of an answer that is not TLS are shown.
const HEAD: usize = 32;

/// Does the handshake as far as it goes and returns the chain.
pub(super) fn handshake(
    wire: &mut Wire,
    host: &Fqdn,
    late: EndpointErrorCause,
) -> Result<PresentedChain, EndpointErrorCause> {
    let recorder = Arc::new(Recorder::default());
    let mut tls = session(host, &recorder).map_err(EndpointErrorCause::Tls)?;
    let ended = shake(&mut tls, wire);
    match (recorder.chain.get(), ended) {
        // Later messages (a request for a client certificate, or a failure) do not change the chain.
        (Some(chain), _) => Ok(chain.clone()),
        (None, Ok(())) => Err(EndpointErrorCause::Closed),
        (None, Err(end)) => Err(end.cause(wire, late)),
    }
}

fn session(host: &Fqdn, recorder: &Arc<Recorder>) -> Result<ClientConnection, String> {
    let name = ServerName::try_from(host.as_str().to_owned()).map_err(|e| e.to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(recorder) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    ClientConnection::new(Arc::new(config), name).map_err(|e| e.to_string())
}

/// How a handshake ended early.
enum HandshakeEnd {
    Wire(io::Error),
    Tls(Error),
    Closed,
}

fn shake(tls: &mut ClientConnection, wire: &mut Wire) -> Result<(), HandshakeEnd> {
    loop {
        while tls.wants_write() {
            tls.write_tls(wire).map_err(HandshakeEnd::Wire)?;
        }
        if !tls.is_handshaking() {
            tls.send_close_notify();
            // The chain is complete, so it does not matter whether the close message arrives.
            let _sent = tls.write_tls(wire);
            return Ok(());
        }
        if tls.read_tls(wire).map_err(HandshakeEnd::Wire)? == 0 {
            return Err(HandshakeEnd::Closed);
        }
        if let Err(error) = tls.process_new_packets() {
            // The alert that says why, so that the service's log has a cause too.
            let _sent = tls.write_tls(wire);
            return Err(HandshakeEnd::Tls(error));
        }
    }
}

impl HandshakeEnd {
    fn cause(self, wire: &Wire, late: EndpointErrorCause) -> EndpointErrorCause {
        match self {
            Self::Wire(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => late,
                io::ErrorKind::FileTooLarge => EndpointErrorCause::TooMuch,
                // Many services end an unwanted connection in this way.
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                    EndpointErrorCause::Closed
                }
                _ => EndpointErrorCause::Broken(Arc::new(error)),
            },
            Self::Closed => EndpointErrorCause::Closed,
            Self::Tls(Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge,
            )) if !wire.speaks_tls() => EndpointErrorCause::NotTls(wire.beginning()),
            Self::Tls(error) => EndpointErrorCause::Tls(error.to_string()),
        }
    }
}

/// A connection with a deadline and a limit of bytes.
pub(super) struct Wire {
    stream: TcpStream,
    deadline: Instant,
    taken: usize,
    head: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, deadline: Instant) -> Self {
        Self { stream, deadline, taken: 0, head: Vec::new() }
    }

    fn time(&self) -> io::Result<std::time::Duration> {
        let left = left(self.deadline);
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// Whether the answer began with a record of a handshake or an alert.
    fn speaks_tls(&self) -> bool {
        matches!(self.head.as_slice(), [0x15 | 0x16, 3, ..])
    }

    fn beginning(&self) -> String {
        let text = String::from_utf8_lossy(&self.head);
        trustmason_plan::text::escape(text.lines().next().unwrap_or_default())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.time()?))?;
        let count = self.stream.read(buffer)?;
        self.taken += count;
        if self.taken > MOST_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let more = HEAD.saturating_sub(self.head.len()).min(count);
        self.head.extend(buffer.iter().take(more));
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.time()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Records the chain. It proves nothing about the chain, and no data received through such a connection is used.
#[derive(Debug, Default)]
struct Recorder {
    chain: OnceLock<PresentedChain>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(leaf).chain(others).map(|der| der.to_vec()).collect();
        // The first chain stays: a server that presents another later is not believed more.
        let _first = self.chain.set(chain);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// All schemes: a server that can use none of those offered would present nothing. SHA-256 comes first, because
    /// even the shortest RSA keys can use it.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]
    }
}
