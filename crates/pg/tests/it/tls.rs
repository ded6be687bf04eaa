//! TLS as `sslmode` means it, against a server with a certificate of our own authority.

use std::path::{Path, PathBuf};
use std::process::Command;

use corridor_pg::{Fault, Session};
use corridor_testbed::{Auth, Cluster, ClusterOptions, Mode};

use crate::{Around, connect, name, wait_until};

/// A server that speaks TLS, and the files that its clients need.
pub(crate) struct Secure {
    pub(crate) cluster: Cluster,
    pub(crate) files: PathBuf,
}

const HBA: &str = "local all all trust
hostssl all certified 127.0.0.1/32 cert
hostssl all only_tls 127.0.0.1/32 scram-sha-256
host all only_tls 127.0.0.1/32 reject
hostnossl all only_plain 127.0.0.1/32 scram-sha-256
host all only_plain 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
";

fn openssl(files: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .current_dir(files)
        .args(arguments.split(' '))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";

fn authority(files: &Path, stem: &str) {
    openssl(
        files,
        &format!("req -x509 {NEW_KEY} -keyout {stem}.key -out {stem}.crt -subj /CN={stem}"),
    );
}

fn signed(files: &Path, stem: &str, common_name: &str) {
    openssl(
        files,
        &format!("req {NEW_KEY} -keyout {stem}.key -out {stem}.csr -subj /CN={common_name}"),
    );
    let extensions = files.join(format!("{stem}.ext"));
    std::fs::write(extensions, format!("subjectAltName=DNS:{common_name}\n")).unwrap();
    openssl(
        files,
        &format!(
            "x509 -req -in {stem}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile {stem}.ext \
             -out {stem}.crt"
        ),
    );
}

/// Writes a file into the data directory as the server itself, readable by nobody else.
async fn put(admin: &Session, file: &str, text: &str) {
    let text = corridor_pg::Literal(text.trim_end()).to_string();
    let sql =
        format!("copy (select unnest(string_to_array({text}, E'\\n'))) to program 'umask 077; cat > {file}'");
    admin.batch_execute(&sql).await.unwrap();
}

impl Secure {
    pub(crate) async fn start() -> Secure {
        let options = ClusterOptions {
            auth: Auth::ScramSha256 {
                password: "pw".to_owned(),
            },
            ..ClusterOptions::new(15)
        };
        let cluster = Cluster::start(options).await.unwrap();
        let files = cluster.directory().join("certificates");
        std::fs::create_dir(&files).unwrap();
        authority(&files, "ca");
        authority(&files, "stranger");
        signed(&files, "server", "localhost");
        signed(&files, "impostor", "localhost");
        signed(&files, "certified", "certified");
        openssl(
            &files,
            &format!(
                "req -x509 {NEW_KEY} -keyout self.key -out self.crt -subj /CN=localhost \
                 -addext subjectAltName=DNS:localhost"
            ),
        );
        let admin = connect(&cluster.url("postgres")).await;
        for user in ["certified", "only_tls", "only_plain"] {
            admin
                .batch_execute(&format!("create role {user} login password 'pw'"))
                .await
                .unwrap();
        }
        let secure = Secure { cluster, files };
        for file in ["server.crt", "server.key", "self.crt", "self.key", "ca.crt"] {
            put(
                &admin,
                file,
                &std::fs::read_to_string(secure.files.join(file)).unwrap(),
            )
            .await;
        }
        put(&admin, "pg_hba.conf", HBA).await;
        for set in ["ssl = on", "ssl_ca_file = 'ca.crt'"] {
            admin
                .batch_execute(&format!("alter system set {set}"))
                .await
                .unwrap();
        }
        secure.cluster.restart(Mode::Fast).await.unwrap();
        secure
    }

    fn text(&self, host: &str, more: &str) -> String {
        let port = self.cluster.port();
        format!("host={host} port={port} user=postgres password=pw dbname=postgres {more}")
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.files.join(name).display().to_string()
    }

    async fn is_encrypted(&self, host: &str, more: &str) -> Result<bool, Fault> {
        let session = Around::nothing()
            .resolve(&self.text(host, more))
            .connect(&name())
            .await?;
        let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
        Ok(session.query_one(sql, &[]).await.unwrap().get(0))
    }

    async fn refusal(&self, host: &str, more: &str) -> Fault {
        self.is_encrypted(host, more).await.unwrap_err()
    }
}

#[tokio::test]
async fn each_sslmode_does_what_libpq_says() {
    let secure = Secure::start().await;
    let (ca, stranger) = (secure.file("ca.crt"), secure.file("stranger.crt"));
    let loopback = "127.0.0.1";

    assert!(!secure.is_encrypted(loopback, "sslmode=disable").await.unwrap());
    assert!(!secure.is_encrypted(loopback, "sslmode=allow").await.unwrap());
    assert!(secure.is_encrypted(loopback, "sslmode=prefer").await.unwrap());
    assert!(
        secure.is_encrypted(loopback, "").await.unwrap(),
        "prefer is the default"
    );
    assert!(secure.is_encrypted(loopback, "sslmode=require").await.unwrap());
    assert!(
        secure
            .is_encrypted(loopback, "sslmode=require sslsni=0")
            .await
            .unwrap()
    );

    // verify-ca: the authority counts, the name does not.
    assert!(
        secure
            .is_encrypted(loopback, &format!("sslmode=verify-ca sslrootcert={ca}"))
            .await
            .unwrap()
    );
    let fault = secure
        .refusal(loopback, &format!("sslmode=verify-ca sslrootcert={stranger}"))
        .await;
    assert_eq!(fault.code().id, "PG-005", "{fault}");
    let fault = secure.refusal(loopback, "sslmode=verify-ca").await;
    assert!(
        fault.code().id == "PG-005" && fault.detail().contains("sslrootcert"),
        "{fault}"
    );
    let fault = secure
        .refusal(loopback, "sslmode=verify-ca sslrootcert=/gone.crt")
        .await;
    assert!(
        fault.code().id == "PG-005" && fault.detail().contains("/gone.crt"),
        "{fault}"
    );

    // verify-full: both count.
    let full = format!("sslmode=verify-full sslrootcert={ca}");
    assert!(secure.is_encrypted("localhost", &full).await.unwrap());
    assert!(
        secure
            .is_encrypted("localhost", &format!("{full} hostaddr=127.0.0.1"))
            .await
            .unwrap()
    );
    let fault = secure.refusal(loopback, &full).await;
    assert_eq!(fault.code().id, "PG-005", "{fault}");
    let fault = secure.refusal("''", &format!("{full} hostaddr=127.0.0.1")).await;
    assert!(
        fault.code().id == "PG-005" && fault.detail().contains("host name"),
        "{fault}"
    );
    let fault = secure
        .refusal(
            "localhost",
            &format!("sslmode=verify-full sslrootcert={stranger}"),
        )
        .await;
    assert_eq!(fault.code().id, "PG-005", "{fault}");
    let fault = secure.refusal("localhost", "sslrootcert=system").await;
    assert_eq!(
        fault.code().id,
        "PG-005",
        "the system does not know our authority: {fault}"
    );

    // require checks the authority too as soon as one is known; a file that is not there is no matter.
    let fault = secure
        .refusal(loopback, &format!("sslmode=require sslrootcert={stranger}"))
        .await;
    assert_eq!(fault.code().id, "PG-005", "{fault}");
    assert!(
        secure
            .is_encrypted(loopback, "sslmode=require sslrootcert=/gone.crt")
            .await
            .unwrap()
    );
    // prefer would rather go without than fail.
    assert!(
        !secure
            .is_encrypted(loopback, &format!("sslmode=prefer sslrootcert={stranger}"))
            .await
            .unwrap()
    );
    // A socket never speaks TLS, whatever the mode.
    let socket = secure.cluster.socket_dir().display().to_string();
    assert!(!secure.is_encrypted(&socket, &full).await.unwrap());
}

#[tokio::test]
async fn the_kind_of_connection_that_the_server_wants_is_found() {
    let secure = Secure::start().await;
    let loopback = "127.0.0.1";
    assert!(
        !secure
            .is_encrypted(loopback, "user=only_plain sslmode=prefer")
            .await
            .unwrap()
    );
    assert!(
        secure
            .is_encrypted(loopback, "user=only_tls sslmode=allow")
            .await
            .unwrap()
    );
    let fault = secure.refusal(loopback, "user=only_plain sslmode=require").await;
    assert_eq!(fault.code().id, "PG-003", "{fault}");
    let fault = secure.refusal(loopback, "user=only_tls sslmode=disable").await;
    assert_eq!(fault.code().id, "PG-003", "{fault}");

    // The password is bound to this very TLS connection.
    assert!(
        secure
            .is_encrypted(loopback, "channel_binding=require")
            .await
            .unwrap()
    );
    assert!(
        secure
            .is_encrypted(loopback, "channel_binding=disable")
            .await
            .unwrap()
    );
    let fault = secure
        .refusal(loopback, "channel_binding=require sslmode=disable")
        .await;
    assert_eq!(fault.code().id, "PG-022", "{fault}");

    // A certificate instead of a password.
    let (certificate, key) = (secure.file("certified.crt"), secure.file("certified.key"));
    let ours = format!("user=certified sslmode=require sslcert={certificate} sslkey={key}");
    assert!(secure.is_encrypted(loopback, &ours).await.unwrap());
    let fault = secure.refusal(loopback, "user=certified sslmode=require").await;
    assert_eq!(fault.code().id, "PG-003", "{fault}");
    let stranger = format!(
        "sslmode=require sslcert={} sslkey={}",
        secure.file("stranger.crt"),
        secure.file("stranger.key")
    );
    let fault = secure.refusal(loopback, &stranger).await;
    assert_eq!(
        fault.code().id,
        "PG-005",
        "the server does not accept it: {fault}"
    );
    // A cancel request goes over TLS too.
    let session = connect(&secure.text(loopback, "sslmode=require")).await;
    let observer = connect(&secure.text(loopback, "")).await;
    let token = session.cancel_token();
    let pid = session.backend_pid();
    let (slept, cancelled) = tokio::join!(session.query_one("select pg_sleep(60)", &[]), async {
        let sql = format!("select wait_event = 'PgSleep' from pg_stat_activity where pid = {pid}");
        wait_until(&observer, &format!("select coalesce(({sql}), false)")).await;
        token.cancel().await
    });
    cancelled.unwrap();
    assert_eq!(Fault::from(slept.unwrap_err()).code().id, "PG-012");
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_when_it_is_the_root_itself() {
    let secure = Secure::start().await;
    let admin = connect(&secure.text("127.0.0.1", "")).await;
    for set in ["ssl_cert_file = 'self.crt'", "ssl_key_file = 'self.key'"] {
        admin
            .batch_execute(&format!("alter system set {set}"))
            .await
            .unwrap();
    }
    secure.cluster.restart(Mode::Fast).await.unwrap();
    let (own, ca) = (secure.file("self.crt"), secure.file("ca.crt"));
    for mode in ["verify-ca", "verify-full"] {
        assert!(
            secure
                .is_encrypted("localhost", &format!("sslmode={mode} sslrootcert={own}"))
                .await
                .unwrap()
        );
        let fault = secure
            .refusal("localhost", &format!("sslmode={mode} sslrootcert={ca}"))
            .await;
        assert_eq!(fault.code().id, "PG-005", "{fault}");
    }
    assert!(
        secure
            .is_encrypted("127.0.0.1", &format!("sslmode=verify-ca sslrootcert={own}"))
            .await
            .unwrap()
    );
    let fault = secure
        .refusal("127.0.0.1", &format!("sslmode=verify-full sslrootcert={own}"))
        .await;
    assert_eq!(fault.code().id, "PG-005", "the name still counts: {fault}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_only_when_tls_is_required() {
    let url = Cluster::shared(15).await.url("postgres");
    connect(&format!("{url}?sslmode=prefer")).await;
    let fault = Around::nothing()
        .resolve(&format!("{url}?sslmode=require"))
        .connect(&name())
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.code().id, "PG-005");
    assert!(fault.detail().contains("does not support TLS"), "{fault}");
}

/// A file beside the others, with these permissions.
fn file_with_mode(secure: &Secure, name: &str, content: &[u8], mode: u32) -> String {
    let path = secure.files.join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_clients_key_is_looked_at_as_libpq_looks_at_it() {
    let secure = Secure::start().await;
    let (certificate, key) = (secure.file("certified.crt"), secure.file("certified.key"));
    let plain = std::fs::read(&key).unwrap();
    let with_key = |key: &str| format!("user=certified sslmode=require sslcert={certificate} sslkey={key}");
    let login = async |text: &str| secure.is_encrypted("127.0.0.1", text).await;
    let refused = async |text: &str, code: &str, why: &str| {
        let fault = login(text).await.unwrap_err();
        assert!(
            fault.code().id == code && fault.detail().contains(why),
            "{text}: {fault}"
        );
    };

    // The group of a key of root's may read it, nobody else's may.
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&key).unwrap()) == 0;
    for (mode, is_allowed) in [
        (0o600, true),
        (0o400, true),
        (0o640, is_root),
        (0o620, false),
        (0o604, false),
        (0o644, false),
    ] {
        let text = with_key(&file_with_mode(&secure, &format!("{mode:o}.key"), &plain, mode));
        match is_allowed {
            true => assert!(login(&text).await.unwrap(), "{mode:o}"),
            false => refused(&text, "PG-005", "0600").await,
        }
    }
    refused(&with_key(&secure.file("gone.key")), "PG-005", "gone.key").await;
    let directory = secure.files.display().to_string();
    refused(&with_key(&directory), "PG-005", "not a regular file").await;
    let nonsense = file_with_mode(&secure, "nonsense.key", b"nonsense", 0o600);
    refused(&with_key(&nonsense), "PG-005", "nonsense.key").await;

    // Encrypted, in both forms; a password for it is not taken either.
    openssl(
        &secure.files,
        "pkcs8 -topk8 -in certified.key -passout pass:pw -out locked.key",
    );
    openssl(
        &secure.files,
        "ec -in certified.key -aes128 -passout pass:pw -out old.key",
    );
    for locked in ["locked.key", "old.key"] {
        let pem = std::fs::read(secure.files.join(locked)).unwrap();
        let text = with_key(&file_with_mode(&secure, locked, &pem, 0o600));
        refused(&text, "PG-005", "is encrypted").await;
    }
    let with_password = format!("{} sslpassword=pw", secure.text("127.0.0.1", &with_key(&key)));
    let fault = corridor_pg::ConnectOptions::resolve(Some(&with_password), &Around::nothing()).unwrap_err();
    assert!(
        fault.code().id == "PG-001" && fault.detail().contains("sslpassword"),
        "{fault}"
    );

    // A certificate that is not there is not sent; then the server says what it thinks of that.
    let gone = secure.file("gone.crt");
    assert!(login(&format!("sslmode=require sslcert={gone}")).await.unwrap());
    let text = format!("user=certified sslmode=require sslcert={gone} sslkey={key}");
    refused(&text, "PG-003", "certificate").await;

    // Without any keyword it is the one in the home directory.
    let home = secure.files.join("home");
    std::fs::create_dir_all(home.join(".postgresql")).unwrap();
    std::fs::copy(&certificate, home.join(".postgresql/postgresql.crt")).unwrap();
    let at_home = Around::nothing().home(&home);
    let text = secure.text("127.0.0.1", "user=certified sslmode=require");
    let fault = at_home.resolve(&text).connect(&name()).await.map(|_| ());
    let fault = fault.unwrap_err();
    assert!(
        fault.code().id == "PG-005" && fault.detail().contains("postgresql.key"),
        "{fault}"
    );
    std::fs::copy(&key, home.join(".postgresql/postgresql.key")).unwrap();
    at_home.resolve(&text).connect(&name()).await.unwrap();
}

const SYSTEM_ROOTS_OF: &str = "CORRIDOR_TEST_SYSTEM_ROOTS_OF";

/// Does its work only in a process of its own, see below: the system's authorities are found by variables.
#[tokio::test]
async fn with_the_systems_roots() {
    let Ok(text) = std::env::var(SYSTEM_ROOTS_OF) else {
        return;
    };
    match Around::nothing().resolve(&text).connect(&name()).await {
        Ok(session) => {
            let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
            let is_encrypted: bool = session.query_one(sql, &[]).await.unwrap().get(0);
            println!("encrypted: {is_encrypted}");
        }
        Err(fault) => println!("{}: {}", fault.code().id, fault.detail()),
    }
}

#[tokio::test]
async fn the_systems_authorities_vouch_for_a_host_by_its_name() {
    let secure = Secure::start().await;
    let said = |authority: &str, host: &str, more: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tls::with_the_systems_roots", "--nocapture"])
            .env(
                SYSTEM_ROOTS_OF,
                secure.text(host, &format!("sslrootcert=system {more}")),
            )
            .env("SSL_CERT_FILE", secure.file(authority))
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // verify-full is what it means, said or not.
    for more in ["", "sslmode=verify-full"] {
        let text = said("ca.crt", "localhost", more);
        assert!(text.contains("encrypted: true"), "{text}");
        let text = said("ca.crt", "127.0.0.1", more);
        assert!(
            text.contains("PG-005: ") && text.contains("not valid for name"),
            "{text}"
        );
        let text = said("stranger.crt", "localhost", more);
        assert!(text.contains("PG-005: "), "{text}");
    }
    for mode in ["require", "verify-ca", "prefer"] {
        let text = secure.text("localhost", &format!("sslrootcert=system sslmode={mode}"));
        let fault = corridor_pg::ConnectOptions::resolve(Some(&text), &Around::nothing()).unwrap_err();
        assert!(fault.detail().contains("verify-full"), "{fault}");
    }
}
