// region: mysql
//! TLS to the database: only a server whose certificate is issued for the host
//! of the URL by a trusted authority is accepted.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use mysql::Config;
use mysql_async::{Conn, prelude::Queryable};

/// The stores, stopped when this is dropped.
struct Stores {
    child: Child,
    mysql: String,
}

impl Stores {
    fn start(tls: &[&Path]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stores"));
        if !tls.is_empty() {
            command.arg("--mysql-tls").args(tls);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let urls: serde_json::Value = serde_json::from_str(&line).unwrap();
        let mysql = urls["mysql"].as_str().unwrap().to_owned();
        Self { child, mysql }
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The cipher of a connection to `url`, trusting `roots`.
async fn cipher(url: &str, roots: &str) -> Result<String, String> {
    let config: Config = url.parse().unwrap();
    let opts = config.trusting(roots.into()).opts();
    let connection = Conn::new(opts).await;
    let mut connection = connection.map_err(|error| format!("{error:?}"))?;
    let status: Option<(String, String)> = connection
        .query_first("SHOW STATUS LIKE 'Ssl_cipher'")
        .await
        .unwrap();
    connection.disconnect().await.unwrap();
    Ok(status.unwrap().1)
}

#[tokio::test]
async fn a_certificate_needs_a_trusted_issuer_and_the_right_name() {
    let authority = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap();
        (certificate.pem(), rcgen::Issuer::new(parameters, key))
    };
    let (trusted, issuer) = authority();
    let (other, _) = authority();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let certificate_file = folder.path().join("certificate.pem");
    let key_file = folder.path().join("key.pem");
    fs::write(&certificate_file, certificate.pem()).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();

    let stores = Stores::start(&[&certificate_file, &key_file]);
    let used = cipher(&stores.mysql, &trusted).await.unwrap();
    assert!(!used.is_empty(), "the connection is not encrypted");
    let unknown = cipher(&stores.mysql, &other).await.unwrap_err();
    assert!(unknown.contains("InvalidCertificate"), "{unknown}");
    let elsewhere = stores.mysql.replace("127.0.0.1", "localhost");
    let misnamed = cipher(&elsewhere, &trusted).await.unwrap_err();
    assert!(misnamed.contains("NotValidForName"), "{misnamed}");
    drop(stores);

    let stores = Stores::start(&[]);
    let plain = cipher(&stores.mysql, &trusted).await.unwrap_err();
    assert!(plain.contains("Ssl"), "{plain}");
}
// endregion
