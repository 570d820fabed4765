//! Why a service could not be asked, in words for people: the service, the cause, and one thing to try.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Endpoint;

/// A service that could not be asked.
#[derive(Debug)]
pub struct EndpointError {
    /// The service that was asked.
    pub endpoint: Endpoint,
    /// The other address that was used, if there was one.
    pub detour: Option<String>,
    /// Why the service could not be asked.
    pub cause: EndpointErrorCause,
}

/// Why a service could not be asked.
#[derive(Clone, Debug)]
pub enum EndpointErrorCause {
    /// The service's name cannot be resolved.
    Name(Arc<io::Error>),
    /// No connection could be made.
    Connect(Arc<io::Error>),
    /// The service did not answer completely within this time.
    Late(Duration),
    /// The connection broke.
    Broken(Arc<io::Error>),
    /// The service ended the connection without presenting a certificate.
    Closed,
    /// The answer is not TLS; this is how the answer begins.
    NotTls(String),
    /// The service sends more than any certificate chain needs.
    TooMuch,
    /// The handshake failed; the text is the TLS library's.
    Tls(String),
}

impl fmt::Display for EndpointErrorCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => {
                write!(f, "its name cannot be resolved: {error}; check DNS, or give an address with --connect-to")
            }
            Self::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                f.write_str("no service listens at that port (connection refused); start the service, or check its port")
            }
            Self::Connect(error) => write!(f, "no connection: {error}; check routes and firewalls from this machine"),
            Self::Late(timeout) => write!(
                f,
                "no answer within {} s; check that the service is up and no firewall drops the connection, or give it more \
                 time with --timeout",
                timeout.as_secs_f32()
            ),
            Self::Broken(error) => write!(f, "the connection broke: {error}; try again"),
            Self::Closed => f.write_str(
                "the service closed the connection without presenting a certificate; check that TLS is switched on at this port",
            ),
            Self::NotTls(begin) => {
                write!(f, "the service does not speak TLS; its answer begins with `{begin}`; check the port")
            }
            Self::TooMuch => f.write_str("the service sends more data than a certificate chain needs; check the port"),
            Self::Tls(words) => {
                write!(f, "the TLS handshake failed: {words}; export its certificate by hand, or try openssl s_client")
            }
        }
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.endpoint)?;
        if let Some(detour) = &self.detour {
            write!(f, " (through {detour})")?;
        }
        write!(f, ": {}", self.cause)
    }
}

// The text contains the cause already.
impl std::error::Error for EndpointError {}
