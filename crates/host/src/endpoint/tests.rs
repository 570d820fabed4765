#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::*;

const SOON: Duration = Duration::from_millis(400);

fn endpoint(host: &str) -> Endpoint {
    Endpoint { host: Fqdn::parse(host).unwrap(), port: 443 }
}

fn way(port: u16, timeout: Duration) -> AskOptions {
    let here = Detour { host: None, port: None, to: Some("127.0.0.1".to_owned()), to_port: Some(port) };
    AskOptions { detours: vec![here], timeout }
}

/// Listens and calls `serve` with every connection, as long as the test lives.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
        }
    });
    port
}

fn said(port: u16, timeout: Duration) -> String {
    ask(&endpoint("cvp1.acme.example"), &way(port, timeout)).unwrap_err().to_string()
}

/// The error about a service that never comes to an end. If asking waits for that end, the test fails and does not
/// hang. It does not matter how long a slow machine takes.
fn said_at_last(port: u16) -> String {
    let (done, answer) = mpsc::channel();
    thread::spawn(move || done.send(said(port, SOON)));
    answer.recv_timeout(Duration::from_secs(120)).unwrap_or_else(|_| panic!("it waits for ever"))
}

/// A server with a certificate of its own. Returns the certificate and the port.
fn server(version: &'static SupportedProtocolVersion) -> (Vec<u8>, u16) {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec!["cvp1.acme.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let secret = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![made.der().clone()], secret).unwrap());
    let port = listen(move |mut stream| {
        let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        while tls.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {}
    });
    (made.der().to_vec(), port)
}

#[test]
fn both_versions_of_tls_give_their_chain() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (certificate, port) = server(version);
        let chain = ask(&endpoint("cvp1.acme.example"), &way(port, PATIENCE)).unwrap();
        assert_eq!(chain, [certificate], "{version:?}");
    }
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let port = listen(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let said = said_at_last(port);
    assert!(
        said.starts_with(&format!("cvp1.acme.example:443 (through 127.0.0.1:{port}): no answer within 0.4 s;")),
        "{said}"
    );
}

#[test]
fn who_speaks_in_drops_is_not_waited_for_either() {
    let port = listen(|mut stream| {
        // The head of a record that never ends.
        let mut bytes = [22, 3, 3, 64, 0].into_iter().chain(std::iter::repeat(0));
        while stream.write_all(&[bytes.next().unwrap()]).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    assert!(said_at_last(port).contains("no answer within"));
}

#[test]
fn a_flood_has_an_end() {
    let port = listen(|mut stream| {
        // Empty handshake records are no message, so nothing else would stop them.
        let warning = [21, 3, 3, 0, 2, 1, 90].repeat(4096);
        while stream.write_all(&warning).is_ok() {}
    });
    let said = said(port, PATIENCE);
    assert!(said.contains("the TLS handshake failed") || said.contains("more data than a certificate chain"), "{said}");
}

#[test]
fn other_protocols_are_named_by_their_beginning() {
    let port = listen(|mut stream| {
        let mut hello = [0; 64];
        let _count = stream.read(&mut hello).unwrap();
        let _sent = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    });
    let said = said(port, PATIENCE);
    assert!(
        said.contains("does not speak TLS; its answer begins with `HTTP/1.1 400 Bad Request`; check the port"),
        "{said}"
    );
}

#[test]
fn who_hangs_up_and_who_is_not_there() {
    let port = listen(drop);
    assert!(said(port, PATIENCE).contains("closed the connection without presenting a certificate"));
    // No other program gets this port by chance.
    assert!(said(1, PATIENCE).contains("no service listens at that port (connection refused); start the service"));
    let nowhere = ask(&endpoint("nowhere.invalid"), &AskOptions::default()).unwrap_err().to_string();
    assert!(nowhere.starts_with("nowhere.invalid:443: its name cannot be resolved: "), "{nowhere}");
}

#[test]
fn detours_by_host_and_port() {
    let to = |host: Option<&str>, port, to: Option<&str>, to_port| Detour {
        host: host.map(|h| Fqdn::parse(h).unwrap()),
        port,
        to: to.map(str::to_owned),
        to_port,
    };
    let detours = vec![
        to(Some("a.example"), Some(443), Some("::1"), Some(4430)),
        to(Some("a.example"), None, None, Some(9)),
        to(None, Some(8443), Some("gate.example"), None),
    ];
    let way = AskOptions { detours, timeout: PATIENCE };
    let goes = |host: &str, port| way.to(&Endpoint { host: Fqdn::parse(host).unwrap(), port });
    assert_eq!(goes("a.example", 443), ("::1".to_owned(), 4430));
    assert_eq!(goes("a.example", 8443), ("a.example".to_owned(), 9));
    assert_eq!(goes("b.example", 8443), ("gate.example".to_owned(), 8443));
    assert_eq!(goes("b.example", 443), ("b.example".to_owned(), 443));
}

#[test]
fn many_are_asked_side_by_side_and_answer_in_order() {
    let (certificate, port) = server(&rustls::version::TLS13);
    let at_once = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, high) = (Arc::clone(&at_once), Arc::clone(&most));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let slow = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (now, high) = (Arc::clone(&now), Arc::clone(&high));
            thread::spawn(move || {
                high.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // The first connection waits for a second one, so services asked one after the other would get no
                // answer.
                while high.load(Ordering::SeqCst) < 2 {
                    thread::sleep(Duration::from_millis(1));
                }
                now.fetch_sub(1, Ordering::SeqCst);
                drop(stream);
            });
        }
    });
    let endpoints: Vec<Endpoint> = (0..24)
        .map(|n| Endpoint { port: if n % 12 == 0 { 443 } else { 8443 }, ..endpoint("cvp1.acme.example") })
        .collect();
    let here = |port, to_port| Detour {
        host: None,
        port: Some(port),
        to: Some("127.0.0.1".to_owned()),
        to_port: Some(to_port),
    };
    let way = AskOptions { detours: vec![here(443, port), here(8443, slow)], timeout: PATIENCE };
    let mut heard = 0;
    let answers = ask_all(&endpoints, &way, || heard += 1);
    assert_eq!(heard, 24);
    for (n, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.ok(), (n % 12 == 0).then(|| vec![certificate.clone()]), "{n}");
    }
    let most = most.load(Ordering::SeqCst);
    assert!(most > 1 && most <= MOST_AT_ONCE, "{most} at once");
}
