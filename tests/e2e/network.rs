//! The way to Confidence: TLS with an authority of one's own, and proxies from the environment.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use confidence_simulator::Config;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use testbed::{ControlPlane, Process};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::world::{World, message};

/// A name that no resolver knows (RFC 6761): who gets there was led there by a proxy.
const NAME: &str = "confidence.invalid";

/// The header of the user `operator` with the password `hunter2-proxy`, in lower case.
const USER: &str = "proxy-authorization: basic b3blcmf0b3i6ahvudgvymi1wcm94eq==";

/// A server that speaks TLS in front of one that does not, with a certificate for [`NAME`] and for the loopback address.
pub struct Front {
    pub address: SocketAddr,
    /// The certificate of the authority, in PEM.
    pub ca: String,
}

impl Front {
    pub async fn start(behind: SocketAddr) -> Self {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = [NAME.to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A caller that does not trust the certificate goes away here.
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut server = TcpStream::connect(behind).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut server).await;
                });
            }
        });
        Self { address, ca: authority.pem() }
    }
}

/// A proxy that knows the way to [`NAME`], and records what it was asked for.
struct Proxy {
    address: SocketAddr,
    /// Method and target of each request or tunnel, and the user that came with it.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// With where a tunnel to [`NAME`] and a plain request for it end.
    async fn start(tls: SocketAddr, plain: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let record = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass_on(stream, tls, plain, Arc::clone(&record)));
            }
        });
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn pass_on(mut stream: TcpStream, tls: SocketAddr, plain: SocketAddr, record: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|it| it == b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(1..) => {}
            _ => return,
        }
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap().to_owned();
    let (method, target) = line.split_once(' ').unwrap();
    let target = target.split(' ').next().unwrap();
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let user = if text.contains(USER) { " for the user" } else { "" };
    record.lock().unwrap().push(format!("{method} {target}{user}"));
    let to = match method {
        "CONNECT" if target.starts_with(NAME) => tls,
        "CONNECT" => target.parse().unwrap(),
        _ => plain,
    };
    let mut server = TcpStream::connect(to).await.unwrap();
    if method == "CONNECT" {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    } else {
        server.write_all(&head).await.unwrap();
    }
    let _ = copy_bidirectional(&mut stream, &mut server).await;
}

/// A world behind TLS: with the certificate of the authority in the file `ca.pem`.
async fn world() -> (World, Front) {
    ControlPlane::shared(); // installs the crypto provider
    let world = World::new(Config::default()).await;
    let front = Front::start(world.server.address()).await;
    std::fs::write(world.file("ca.pem"), &front.ca).unwrap();
    (world, front)
}

fn operator(world: &World, url: &str, environment: &[(&str, &str)], flags: &[&str]) -> Process {
    let program = world.program().arg("--token-file").arg(world.file("token"));
    let program = environment.iter().fold(program, |program, (name, value)| program.env(name, value));
    program.args(["--confidence-url", url]).args(flags).start().unwrap()
}

#[tokio::test]
async fn private_authority_is_trusted_with_ca_file_alone() {
    let (world, front) = world().await;
    let (url, ca) = (format!("https://{}", front.address), world.file("ca.pem").display().to_string());
    world.seed("tls");
    let mut refusing = operator(&world, &url, &[], &[]);
    world.apply("tls", json!({})).await;
    let object = world.until_reason("tls", "TlsFailed").await;
    assert!(
        message(&object).contains("--ca-file") && message(&object).contains("UnknownIssuer"),
        "{}",
        message(&object)
    );
    assert_eq!(
        world.simulator.call_count(),
        0,
        "nothing is sent to a server that is not trusted, least of all the token"
    );
    refusing.kill().unwrap();
    let _trusting = operator(&world, &url, &[], &["--ca-file", &ca]);
    world.apply("tls", json!({"sdkType": "BACKEND"})).await;
    world.until_reason("tls", "InSync").await;
    assert_eq!(world.updates().len(), 1);
}

#[tokio::test]
async fn calls_go_through_proxies_of_the_environment() {
    let (world, front) = world().await;
    let proxy = Proxy::start(front.address, world.server.address()).await;
    let ca = world.file("ca.pem").display().to_string();
    // The API server of this test is on the loopback address.
    let environment = [("HTTPS_PROXY", proxy.url()), ("HTTP_PROXY", proxy.url()), ("NO_PROXY", "127.0.0.1".to_owned())];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    for (id, url, flag, asked) in [
        ("tunnel", format!("https://{NAME}"), ["--ca-file", &ca].as_slice(), format!("CONNECT {NAME}:443")),
        (
            "plain",
            format!("http://{NAME}"),
            &["--allow-insecure-url"],
            format!("GET http://{NAME}/v1/clients/{}/credentials", crate::world::CLIENT),
        ),
    ] {
        world.seed(id);
        let mut operator = operator(&world, &url, &environment, flag);
        world.apply(id, json!({"sdkType": "BACKEND"})).await;
        world.until_reason(id, "InSync").await;
        operator.kill().unwrap();
        assert!(proxy.asked().iter().any(|it| it.starts_with(&asked)), "{:?}", proxy.asked());
    }
    assert!(proxy.asked().iter().all(|asked| asked.contains(NAME)), "NO_PROXY goes straight: {:?}", proxy.asked());
}

#[tokio::test]
async fn host_of_no_proxy_is_called_without_one() {
    let (world, front) = world().await;
    let proxy = Proxy::start(front.address, world.server.address()).await;
    let ca = world.file("ca.pem").display().to_string();
    world.seed("straight");
    let environment = [("HTTPS_PROXY", &*proxy.url()), ("NO_PROXY", &format!("127.0.0.1,{NAME}"))];
    let _operator = operator(&world, &format!("https://{NAME}"), &environment, &["--ca-file", &ca]);
    world.apply("straight", json!({})).await;
    world.until_reason("straight", "Unreachable").await; // the name leads nowhere without the proxy
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
}

/// A proxy would see the token in the clear.
#[tokio::test]
async fn loopback_is_called_without_a_proxy() {
    let (world, front) = world().await;
    let proxy = Proxy::start(front.address, world.server.address()).await;
    world.seed("loopback");
    let environment = [("HTTP_PROXY", &*proxy.url()), ("http_proxy", &*proxy.url())];
    let _operator = operator(&world, &world.server.url(), &environment, &[]);
    world.apply("loopback", json!({})).await;
    world.until_reason("loopback", "InSync").await;
    let asked: Vec<_> = proxy.asked().into_iter().filter(|asked| asked.contains("/v1/")).collect();
    assert!(asked.is_empty(), "{asked:?}");
}

/// The password of the proxy reaches the proxy and no log.
#[tokio::test]
async fn proxy_password_is_used_and_not_logged() {
    let (world, front) = world().await;
    let proxy = Proxy::start(front.address, world.server.address()).await;
    let ca = world.file("ca.pem").display().to_string();
    world.seed("password");
    let url = format!("http://operator:hunter2-proxy@{}", proxy.address);
    let environment = [("HTTPS_PROXY", &*url), ("NO_PROXY", "127.0.0.1"), ("LOG_LEVEL", "debug")];
    let operator = operator(&world, &format!("https://{NAME}"), &environment, &["--ca-file", &ca]);
    world.apply("password", json!({})).await;
    world.until_reason("password", "InSync").await;
    assert!(proxy.asked().iter().all(|asked| asked.ends_with(" for the user")), "{:?}", proxy.asked());
    let log = operator.lines().join("\n");
    assert!(!log.contains("hunter2"), "{log}");
}

/// As kubectl does, and every client that reads a kubeconfig.
#[tokio::test]
async fn api_server_is_called_through_the_proxy_too() {
    let (world, front) = world().await;
    let proxy = Proxy::start(front.address, world.server.address()).await;
    let ca = world.file("ca.pem").display().to_string();
    world.seed("both");
    let url = format!("https://{NAME}");
    let _operator = operator(&world, &url, &[("HTTPS_PROXY", &proxy.url())], &["--ca-file", &ca]);
    world.apply("both", json!({})).await;
    world.until_reason("both", "InSync").await;
    let to_api_server = proxy.asked().into_iter().filter(|asked| asked.starts_with("CONNECT 127.0.0.1:")).count();
    assert!(to_api_server > 0, "{:?}", proxy.asked());
}
