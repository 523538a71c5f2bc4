//! A server that terminates TLS in front of a store, as AWS's endpoints do.

use std::{sync::Arc, thread};

use anyhow::{Context, Result};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::plan::Proxy;

/// Starts the server, on a thread of its own.
pub fn start(proxy: &Proxy) -> Result<()> {
    let chain = CertificateDer::pem_file_iter(&proxy.certificate).context("the certificate")?;
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&proxy.key).context("the key")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let listener = runtime.block_on(TcpListener::bind(proxy.listen))?;
    let upstream = proxy.upstream.clone();
    thread::spawn(move || {
        runtime.block_on(async {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                tokio::spawn(async move {
                    // A function that was killed has closed its connection.
                    let _ = pass_on(&acceptor, client, &upstream).await;
                });
            }
        });
    });
    Ok(())
}

async fn pass_on(acceptor: &TlsAcceptor, client: TcpStream, upstream: &str) -> Result<()> {
    client.set_nodelay(true)?;
    let mut client = acceptor.accept(client).await?;
    let mut store = TcpStream::connect(upstream).await?;
    store.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut store).await?;
    Ok(())
}
