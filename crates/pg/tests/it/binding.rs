//! Channel binding: a login that is bound to its TLS connection is worth nothing to somebody in the middle.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use corridor_pg::Fault;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::tls::Secure;
use crate::{Around, name};

/// What a client sends to ask for TLS: the length, and the code of the request.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Somebody with a certificate for the server's name, by an authority that the client trusts, between client and server.
/// Both sides have a TLS connection, but not the same one.
struct Impostor {
    address: SocketAddr,
}

impl Impostor {
    fn start(files: &Path, server_port: u16) -> Impostor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificate = |stem: &str| CertificateDer::from_pem_file(files.join(stem)).unwrap();
        let key = PrivateKeyDer::from_pem_file(files.join("impostor.key")).unwrap();
        let facade = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate("impostor.crt")], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate("ca.crt")).unwrap();
        let behind = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (facade, behind) = (Arc::new(facade), Arc::new(behind));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (facade, behind) = (facade.clone(), behind.clone());
                std::thread::spawn(move || pass_on(client, server_port, facade, behind));
            }
        });
        Impostor { address }
    }
}

/// Until one of them has enough. What goes wrong here shows at the client.
fn pass_on(
    mut client: TcpStream,
    port: u16,
    facade: Arc<ServerConfig>,
    behind: Arc<ClientConfig>,
) -> Option<()> {
    let mut request = [0; 8];
    client.read_exact(&mut request).ok()?;
    assert_eq!(request, TLS_REQUEST);
    client.write_all(b"S").ok()?;
    let mut server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    server.write_all(&TLS_REQUEST).ok()?;
    let mut answer = [0];
    server.read_exact(&mut answer).ok()?;
    assert_eq!(&answer, b"S");
    let mut client = StreamOwned::new(ServerConnection::new(facade).ok()?, client);
    let host = ServerName::try_from("localhost").ok()?;
    let mut server = StreamOwned::new(ClientConnection::new(behind, host).ok()?, server);
    client.conn.complete_io(&mut client.sock).ok()?;
    server.conn.complete_io(&mut server.sock).ok()?;
    // A login is a conversation: whoever has nothing to say is waited for a moment, then the other one is asked.
    let moment = Some(Duration::from_millis(5));
    client.sock.set_read_timeout(moment).ok()?;
    server.sock.set_read_timeout(moment).ok()?;
    loop {
        hand_over(&mut client, &mut server)?;
        hand_over(&mut server, &mut client)?;
    }
}

fn hand_over(from: &mut impl Read, to: &mut impl Write) -> Option<()> {
    let mut buffer = [0; 16_384];
    match from.read(&mut buffer) {
        Ok(0) => None,
        Ok(length) => to.write_all(&buffer[..length]).and_then(|()| to.flush()).ok(),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Some(()),
        Err(_) => None,
    }
}

#[tokio::test]
async fn somebody_in_the_middle_is_found_out_by_the_bound_login_alone() {
    let secure = Secure::start().await;
    let impostor = Impostor::start(&secure.files, secure.cluster.port());
    let ca = secure.file("ca.crt");
    let login = async |port: u16, binding: &str| -> Result<(), Fault> {
        let text = format!(
            "host=localhost hostaddr=127.0.0.1 port={port} user=postgres password=pw dbname=postgres \
             sslmode=verify-full sslrootcert={ca} {binding}"
        );
        let session = Around::nothing().resolve(&text).connect(&name()).await?;
        session.query_one("select 1", &[]).await?;
        Ok(())
    };
    // The certificate is in order, so without binding nobody notices.
    login(impostor.address.port(), "channel_binding=disable")
        .await
        .unwrap();
    // The default binds as soon as the server can; require insists.
    for binding in ["", "channel_binding=prefer", "channel_binding=require"] {
        let fault = login(impostor.address.port(), binding).await.unwrap_err();
        assert!(
            fault.code().id == "PG-003" && fault.detail().contains("channel binding check failed"),
            "{binding}: {fault}"
        );
        login(secure.cluster.port(), binding).await.unwrap();
    }
}

/// `require` is about the login: a server that asks for no password proves nothing.
#[tokio::test]
async fn a_login_that_binds_nothing_is_refused_where_binding_is_required() {
    let secure = Secure::start().await;
    let (certificate, key) = (secure.file("certified.crt"), secure.file("certified.key"));
    let by_certificate = format!("user=certified sslmode=require sslcert={certificate} sslkey={key}");
    let port = secure.cluster.port();
    let login = async |more: &str| {
        let text = format!("host=127.0.0.1 port={port} dbname=postgres user=postgres password=pw {more}");
        let session = Around::nothing().resolve(&text).connect(&name()).await;
        session.map(|_| ())
    };
    login(&by_certificate).await.unwrap();
    for more in [
        format!("{by_certificate} channel_binding=require"),
        "channel_binding=require sslmode=disable".to_owned(),
    ] {
        let fault = login(&more).await.unwrap_err();
        assert_eq!(fault.code().id, "PG-022", "{more}: {fault}");
    }
    let fault = corridor_pg::ConnectOptions::resolve(Some("channel_binding=yes"), &Around::nothing());
    assert_eq!(fault.unwrap_err().code().id, "PG-001");
}
