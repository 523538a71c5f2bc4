//! Runs the two stores until it is stopped, or its standard input closes because
//! its parent is gone.

use std::{
    fs::TryLockError,
    io,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use fs_err::{self as fs, File};
use stores::{
    dynamodb,
    mariadb::{Durability, MariaDb, Tls},
    mysql,
};
use tempfile::TempDir;
use template::Template;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// Starts a DynamoDB-compatible and a MySQL-compatible store with the project's
/// tables, and prints their URLs as one line of JSON.
///
/// They run until this program gets SIGTERM or SIGINT, or its standard input
/// closes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Folder that keeps the data between runs [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Drop the data in the folder first
    #[arg(long, requires = "data")]
    fresh: bool,

    /// Address of this machine to listen on: containers cannot reach the
    /// loopback address, but that of Docker's bridge
    #[arg(long, value_name = "ADDRESS", default_value_t = Ipv4Addr::LOCALHOST.into())]
    host: IpAddr,

    /// Port of DynamoDB; 0 for a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    dynamodb_port: u16,

    /// Port of MySQL; 0 for a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    mysql_port: u16,

    /// Use the DynamoDB at this URL instead of starting one
    #[arg(long, value_name = "URL")]
    dynamodb_url: Option<String>,

    /// Use the MySQL database of this URL instead of starting one
    #[arg(long, value_name = "URL")]
    mysql_url: Option<String>,

    /// The certificate and the key of MySQL for TLS, as PEM [default: no TLS]
    #[arg(long, value_names = ["FILE", "FILE"], num_args = 2, conflicts_with = "mysql_url")]
    mysql_tls: Option<Vec<PathBuf>>,

    // region: mysqldata
    /// Leave MySQL as a deployment finds it: an empty database, and the user
    /// `orders`, with its name as its password, whom RDS signs in with a role
    #[arg(long, conflicts_with_all = ["data", "mysql_url", "sample"])]
    as_deployed: bool,

    // endregion
    /// Insert sample products and orders into empty stores
    #[arg(long)]
    sample: bool,
}

fn main() -> ExitCode {
    if let Some(code) = programs::guard::run_if_asked() {
        return code;
    }
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stores: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the stores until this program receives a signal to stop. They stop when
/// they are dropped.
#[tokio::main]
async fn run(arguments: &Arguments) -> Result<()> {
    let stop = stop_requested()?;
    tokio::select! {
        ended = serve(arguments) => ended,
        () = stop => Ok(()),
    }
}

/// Starts the stores and returns when one of them ends, which none should.
async fn serve(arguments: &Arguments) -> Result<()> {
    let folder = Folder::open(arguments.data.as_deref(), arguments.fresh).await?;
    let ((dynamodb_url, _dynamodb), (mysql_url, mut mysql)) = tokio::try_join!(
        start_dynamodb(arguments, &folder),
        start_mysql(arguments, &folder)
    )?;
    println!(
        "{}",
        serde_json::json!({ "dynamodb": dynamodb_url, "mysql": mysql_url })
    );
    match &mut mysql {
        Some(server) => bail!("MariaDB ended: {}", server.ended().await?),
        None => std::future::pending().await,
    }
}

/// The URL of `DynamoDB`, and the server if it is not one's own.
async fn start_dynamodb(
    arguments: &Arguments,
    folder: &Folder,
) -> Result<(String, Option<dynamodb::Server>)> {
    let (url, server) = if let Some(url) = &arguments.dynamodb_url {
        (url.clone(), None)
    } else {
        let file = folder.database()?;
        let address = (arguments.host, arguments.dynamodb_port);
        let server = dynamodb::Server::start(address, file.as_deref()).await?;
        (server.url().to_owned(), Some(server))
    };
    let client = dynamodb::client(&url);
    dynamodb::create_tables(&client, &template::path(), "")
        .await
        .with_context(|| format!("DynamoDB at {url}"))?;
    // region: nosqldata
    if arguments.sample {
        let count = stores::sample::products::insert(&client, "products").await?;
        if count > 0 {
            eprintln!("stores: inserted {count} sample products into DynamoDB");
        }
    }
    // endregion
    eprintln!("stores: DynamoDB is ready at {url}");
    Ok((url, server))
}

fn tls(arguments: &Arguments) -> Option<Tls> {
    match arguments.mysql_tls.as_deref()? {
        [certificate, key] => Some(Tls {
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        _ => None,
    }
}

/// The URL of the `MySQL` database, which is empty if no function uses one, and the
/// server if it is not one's own.
async fn start_mysql(arguments: &Arguments, folder: &Folder) -> Result<(String, Option<MariaDb>)> {
    if !Template::read(&template::path())?.uses_mysql() {
        return Ok((String::new(), None));
    }
    let (url, server) = if let Some(url) = &arguments.mysql_url {
        let url = mysql::create_database(url, &mysql::database(url)?).await?;
        (url, None)
    } else {
        let server = MariaDb::start(
            (arguments.host, arguments.mysql_port),
            &folder.path.join("mysql"),
            folder.durability,
            tls(arguments).as_ref(),
        )
        .await?;
        (server.url().to_owned(), Some(server))
    };
    // region: mysqldata
    if arguments.as_deployed {
        mysql::create_users(&url, &stores::grants()).await?;
        return Ok((url, server));
    }
    // endregion
    mysql::migrate(&url, &stores::migrations()).await?;
    // region: mysqldata
    if arguments.sample {
        let count = stores::sample::orders::insert(&url).await?;
        if count > 0 {
            eprintln!("stores: inserted {count} sample orders into MySQL");
        }
    }
    // endregion
    eprintln!(
        "stores: MySQL is ready at {}",
        mysql::without_password(&url)?
    );
    Ok((url, server))
}

/// The folder of the data, locked by this process.
struct Folder {
    path: PathBuf,
    durability: Durability,
    _lock: Option<File>,
    _temporary: Option<TempDir>,
}

impl Folder {
    async fn open(kept: Option<&Path>, fresh: bool) -> Result<Self> {
        let Some(path) = kept else {
            let temporary = tempfile::Builder::new().prefix("stores-").tempdir()?;
            return Ok(Self {
                path: temporary.path().to_path_buf(),
                durability: Durability::ThrowAway,
                _lock: None,
                _temporary: Some(temporary),
            });
        };
        fs::create_dir_all(path)?;
        let lock = lock(path).await?;
        if fresh {
            // By name: the folder may contain files of others.
            for part in ["dynamodb", "mysql"] {
                let part = path.join(part);
                if part.exists() {
                    fs::remove_dir_all(part)?;
                }
            }
        }
        Ok(Self {
            // MariaDB changes its working folder.
            path: path.canonicalize()?,
            durability: Durability::Kept,
            _lock: Some(lock),
            _temporary: None,
        })
    }

    /// The file of the `DynamoDB` database, if it is kept.
    fn database(&self) -> Result<Option<PathBuf>> {
        if self.durability == Durability::ThrowAway {
            return Ok(None);
        }
        let folder = self.path.join("dynamodb");
        fs::create_dir_all(&folder)?;
        Ok(Some(folder.join("database.sqlite")))
    }
}

/// Locks the folder, waiting a little for a predecessor that is just stopping.
async fn lock(folder: &Path) -> Result<File> {
    let file = File::create(folder.join("lock"))?;
    for _ in 0..LOCK_TRIES {
        match file.file().try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    bail!(
        "another `cargo xtask up` or `cargo xtask stores` uses {}: stop it first",
        folder.display()
    )
}

const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(200);

/// Completes on SIGTERM or SIGINT, or when standard input closes: the operating
/// system closes the parent's end of it, however the parent ends.
fn stop_requested() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (ended, end) = oneshot::channel();
    // A thread, because a runtime cannot cancel a blocking read.
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = ended.send(());
    });
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = end => {}
        }
    })
}
