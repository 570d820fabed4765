//! Asks services over the network for the certificates that they present. It takes host names and ports, and gives
//! chains. A handshake is begun for nothing else: the chain is recorded, nothing is trusted because of it, and no
//! application data is sent.
//!
//! [`ask`] asks one service, [`ask_all`] many at the same time, and [`probe`] those of given identities. Only `collect`
//! and `drift --probe` call them; nothing else opens a socket.

mod error;
mod legacy_hello;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use trustmason_keystore::Interner;
use trustmason_plan::observed::ServedLook;
use trustmason_spec::name::{Fqdn, IdentityId};

pub use error::{EndpointError, EndpointErrorCause};
use wire::Wire;

use crate::parallel::{self, Progress};

/// How long asking one service may take altogether, unless the operator says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The most services that are asked at the same time.
const MOST_AT_ONCE: usize = 8;

/// Where a service listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The host, which is also the server name asked for (SNI).
    pub host: Fqdn,
    /// The TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Another address for a service, such as a tunnel. The server name asked for stays the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detour {
    /// The host that this is for; `None` means any.
    pub host: Option<Fqdn>,
    /// The port that this is for; `None` means any.
    pub port: Option<u16>,
    /// The address or name to connect to; `None` means the host itself.
    pub to: Option<String>,
    /// The port to connect to; `None` means the same port.
    pub to_port: Option<u16>,
}

/// How services are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskOptions {
    /// Other addresses; the first that fits is used.
    pub detours: Vec<Detour>,
    /// How long asking one service may take altogether.
    pub timeout: Duration,
}

impl Default for AskOptions {
    fn default() -> Self {
        Self { detours: Vec::new(), timeout: PATIENCE }
    }
}

impl AskOptions {
    /// The name or address, and the port, to connect to.
    fn to(&self, endpoint: &Endpoint) -> (String, u16) {
        let fits = |detour: &&Detour| {
            detour.host.as_ref().is_none_or(|host| *host == endpoint.host)
                && detour.port.is_none_or(|port| port == endpoint.port)
        };
        let detour = self.detours.iter().find(fits);
        let host = detour.and_then(|d| d.to.clone()).unwrap_or_else(|| endpoint.host.to_string());
        (host, detour.and_then(|d| d.to_port).unwrap_or(endpoint.port))
    }
}

/// A chain as a service presented it, as DER, its own certificate first. It is never empty.
pub type PresentedChain = Vec<Vec<u8>>;

/// Asks one service for its chain.
///
/// # Errors
/// [`EndpointError`], which names host, port, cause and one thing to try.
pub fn ask(endpoint: &Endpoint, way: &AskOptions) -> Result<PresentedChain, EndpointError> {
    let (host, port) = way.to(endpoint);
    let detour = (host != endpoint.host.as_str() || port != endpoint.port).then(|| format!("{host}:{port}"));
    let failed = |cause| EndpointError { endpoint: endpoint.clone(), detour: detour.clone(), cause };
    let deadline = Instant::now() + way.timeout;
    let late = EndpointErrorCause::Late(way.timeout);
    let addresses = resolve(host, port, deadline, &late).map_err(failed)?;
    let wire = || connect(&addresses, deadline, &late).map(|stream| Wire::new(stream, deadline));
    let mut first = wire().map_err(failed)?;
    match wire::handshake(&mut first, &endpoint.host, late.clone()) {
        Ok(chain) => Ok(chain),
        Err(cause @ (EndpointErrorCause::Tls(_) | EndpointErrorCause::Closed)) => {
            drop(first);
            let old =
                wire().ok().and_then(|mut wire| legacy_hello::chain(&mut wire, &endpoint.host, &random()?).ok()?);
            // The reason why the first handshake ended says more than a failure of the second.
            old.ok_or(cause).map_err(failed)
        }
        Err(cause) => Err(failed(cause)),
    }
}

/// Random bytes for a greeting, so that no two greetings are alike.
fn random() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

/// Asks many services, several at the same time. The answers come in the order of the questions. `done` is called after
/// each answer.
pub fn ask_all(
    endpoints: &[Endpoint],
    way: &AskOptions,
    mut done: impl FnMut(),
) -> Vec<Result<PresentedChain, EndpointError>> {
    let one = |endpoint: &Endpoint| ask(endpoint, way).inspect_err(|error| tracing::debug!(%error, "not reached"));
    parallel::map_with_events(MOST_AT_ONCE, endpoints, one, |news| match news {
        Progress::Begun(_) => {}
        Progress::Done(..) => done(),
    })
}

/// Asks for the certificates of these identities. A service that several identities share is asked once.
pub fn probe(
    identities: &[(IdentityId, u16)],
    way: &AskOptions,
    certificates: &Interner,
    done: impl FnMut(),
) -> BTreeMap<IdentityId, ServedLook> {
    let at = |(id, port): &(IdentityId, u16)| Endpoint { host: id.host.clone(), port: *port };
    let endpoints: BTreeSet<Endpoint> = identities.iter().map(at).collect();
    let endpoints: Vec<Endpoint> = endpoints.into_iter().collect();
    let looks: Vec<ServedLook> = ask_all(&endpoints, way, done)
        .into_iter()
        .map(|answer| match answer {
            Ok(chain) => match chain.first() {
                Some(leaf) => ServedLook::Presented(certificates.intern(leaf)),
                None => ServedLook::Unreachable("the service presents no certificate".to_owned()),
            },
            Err(error) => ServedLook::Unreachable(error.to_string()),
        })
        .collect();
    let looks: BTreeMap<Endpoint, ServedLook> = endpoints.into_iter().zip(looks).collect();
    identities.iter().filter_map(|one| Some((one.0.clone(), looks.get(&at(one))?.clone()))).collect()
}

/// The addresses of a name. The system may take its time to find them and cannot be stopped, so a thread of its own
/// waits for it.
fn resolve(
    host: String,
    port: u16,
    deadline: Instant,
    late: &EndpointErrorCause,
) -> Result<Vec<SocketAddr>, EndpointErrorCause> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // The receiver may be gone.
        let _heard = sender.send(found);
    });
    match receiver.recv_timeout(left(deadline)) {
        Ok(Ok(found)) if found.is_empty() => {
            Err(EndpointErrorCause::Name(Arc::new(std::io::Error::other("it has no address"))))
        }
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(EndpointErrorCause::Name(Arc::new(error))),
        Err(_) => Err(late.clone()),
    }
}

/// Tries each address, with an equal share of the time that is left.
fn connect(
    addresses: &[SocketAddr],
    deadline: Instant,
    late: &EndpointErrorCause,
) -> Result<TcpStream, EndpointErrorCause> {
    let mut first = None;
    for (tried, address) in addresses.iter().enumerate() {
        let share = left(deadline) / u32::try_from(addresses.len() - tried).unwrap_or(1);
        if share.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {}
            Err(error) => first = first.or(Some(EndpointErrorCause::Connect(Arc::new(error)))),
        }
    }
    Err(first.unwrap_or_else(|| late.clone()))
}

/// How much time is left; never negative.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests;
