//! A TLS server on this machine that presents one certificate and counts connections.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

pub struct Server {
    pub port: u16,
    calls: Arc<AtomicUsize>,
}

impl Server {
    /// A server that presents this certificate until the test ends.
    pub fn presenting(certificate: &[u8], key: &KeyPair) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let secret = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let chain = vec![CertificateDer::from(certificate.to_vec())];
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, secret).unwrap());
        Self::doing(move |mut stream| {
            let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            while tls.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {}
        })
    }

    /// A server that accepts connections and sends nothing.
    pub fn silent() -> Self {
        Self::doing(|mut stream| drop(std::io::copy(&mut stream, &mut std::io::sink())))
    }

    fn doing(serve: impl Fn(std::net::TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream.unwrap()));
            }
        });
        Self { port, calls }
    }

    /// The number of connections.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// The option that redirects `HOST:PORT` to this server.
    pub fn instead_of(&self, endpoint: &str) -> String {
        format!("--connect-to={endpoint}:127.0.0.1:{}", self.port)
    }
}

/// The option that redirects everything else to a port without a listener. No other test can get this port by chance.
pub fn nobody() -> String {
    "--connect-to=::127.0.0.1:1".to_owned()
}
