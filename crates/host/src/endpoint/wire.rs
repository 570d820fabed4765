//! A TLS handshake that is only listened to. The verifier writes the chain down and refuses nothing: an expired certificate, a
//! weak one, one of version 1 or with a signature nobody checks any more is still the one that is presented, and that is the
//! whole question.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, InvalidMessage, SignatureScheme};
use trustmason_spec::name::Fqdn;

use super::error::Cause;
use super::{Chain, left};

/// More than any chain with its handshake needs.
const MOST_BYTES: usize = 256 * 1024;
/// How much of an answer that is no TLS is shown.
const HEAD: usize = 32;

/// Shakes hands as far as it goes and takes the chain with it.
pub(super) fn handshake(wire: &mut Wire, host: &Fqdn, late: Cause) -> Result<Chain, Cause> {
    let recorder = Arc::new(Recorder::default());
    let mut tls = session(host, &recorder).map_err(Cause::Tls)?;
    let ended = shake(&mut tls, wire);
    match (recorder.chain.get(), ended) {
        // What comes after the chain, a demand for a certificate of ours or a failure, does not change it.
        (Some(chain), _) => Ok(chain.clone()),
        (None, Ok(())) => Err(Cause::Closed),
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
enum End {
    Wire(io::Error),
    Tls(Error),
    Closed,
}

fn shake(tls: &mut ClientConnection, wire: &mut Wire) -> Result<(), End> {
    loop {
        while tls.wants_write() {
            tls.write_tls(wire).map_err(End::Wire)?;
        }
        if !tls.is_handshaking() {
            tls.send_close_notify();
            // It has what it needs; whether the goodbye arrives is of no account.
            let _sent = tls.write_tls(wire);
            return Ok(());
        }
        if tls.read_tls(wire).map_err(End::Wire)? == 0 {
            return Err(End::Closed);
        }
        if let Err(error) = tls.process_new_packets() {
            // The alert that says why, so that the service's log has a cause too.
            let _sent = tls.write_tls(wire);
            return Err(End::Tls(error));
        }
    }
}

impl End {
    fn cause(self, wire: &Wire, late: Cause) -> Cause {
        match self {
            Self::Wire(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => late,
                io::ErrorKind::FileTooLarge => Cause::TooMuch,
                // Many services end a connection they do not like in this way.
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                    Cause::Closed
                }
                _ => Cause::Broken(Arc::new(error)),
            },
            Self::Closed => Cause::Closed,
            Self::Tls(Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge,
            )) if !wire.speaks_tls() => Cause::NotTls(wire.beginning()),
            Self::Tls(error) => Cause::Tls(error.to_string()),
        }
    }
}

/// A connection with an end to its time and to its bytes.
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

/// Writes the chain down. It vouches for nothing, and nothing that was received through such a connection is used.
#[derive(Debug, Default)]
struct Recorder {
    chain: OnceLock<Chain>,
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
        // The first one stays: a server that presents another later is not believed more.
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

    /// All there are: a server that finds none of its own among them would present nothing. SHA-256 first, which also the
    /// shortest RSA keys can make.
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
