//! A private `MariaDB` in a folder: bootstrapped once, started, stopped cleanly.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use fs_err as fs;
use mysql_async::OptsBuilder;
use programs::{Guarded, guard};

use crate::mysql;

/// User, password and database of every private server.
const NAME: &str = "kea";

/// The timeout of the start on a loaded machine: after a crash the server recovers
/// first.
const START_TIMEOUT: Duration = Duration::from_mins(5);

/// The time that a server has to flush its data and stop.
const STOP_GRACE: Duration = Duration::from_secs(20);

/// The sizes of a small server. They must be the same for the bootstrap and the
/// server, which would find files of another size otherwise.
const SIZES: [&str; 6] = [
    "--innodb-data-file-path=ibdata1:5M:autoextend",
    "--innodb-temp-data-file-path=ibtmp1:1M:autoextend",
    "--innodb-undo-tablespaces=0",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
    "--performance-schema=OFF",
];

/// A running server, stopped when dropped and when this process ends.
#[derive(Debug)]
pub struct MariaDb {
    process: Guarded,
    url: String,
}

/// Whether acknowledged writes survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// They do.
    Kept,
    /// They may not: the folder is deleted in the end, so nothing waits for a disk.
    ThrowAway,
}

/// The certificate of a server for TLS, and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl MariaDb {
    /// Starts the server of this machine on `address` (port 0: a free one) with its
    /// data in `folder`, which is set up if it is new. It serves TLS too with a
    /// certificate.
    ///
    /// # Errors
    /// There is no server, the port is in use, the address is not one of this machine,
    /// or the server does not start; the error has the end of its log.
    pub async fn start(
        address: impl Into<SocketAddr>,
        folder: &Path,
        durability: Durability,
        tls: Option<&Tls>,
    ) -> Result<Self> {
        let program = programs::mariadbd().context(
            "there is no MariaDB server on this machine: install it \
             (apt-get install mariadb-server-core; brew install mariadb) \
             or name a MySQL database of your own with --mysql-url",
        )?;
        let address = address.into();
        let installation = Installation::of(&program)?;
        fs::create_dir_all(folder.join("tmp"))?;
        if !folder.join("data").exists() {
            eprintln!("stores: setting up MariaDB in {}", folder.display());
            bootstrap(&installation, folder)
                .await
                .context("MariaDB cannot be set up")?;
        }
        let address = free_port(address)?;
        let mut server = Self {
            process: spawn(&installation, folder, address, durability, tls)?,
            url: format!("mysql://{NAME}:{NAME}@{address}/{NAME}"),
        };
        server.answers().await.with_context(|| {
            format!("MariaDB does not start:\n{}", log_end(&folder.join("log")))
        })?;
        Ok(server)
    }

    /// The URL of its database, with a user that has all privileges.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the exit status when the server has ended.
    ///
    /// # Errors
    /// The operating system reports one.
    pub async fn ended(&mut self) -> Result<String> {
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status.to_string());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn answers(&mut self) -> Result<()> {
        let options = OptsBuilder::from_opts(mysql::options(&self.url)?).db_name(None::<&str>);
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(status) = self.process.try_wait()? {
                bail!("it ended ({status})");
            }
            match mysql::connect(options.clone()).await {
                Ok(connection) => return Ok(connection.disconnect().await?),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context("it accepts no connection"));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        }
    }
}

/// The files of a `MariaDB` installation.
struct Installation {
    program: PathBuf,
    base: PathBuf,
    /// The SQL that creates the system tables and fills them.
    system_tables: [PathBuf; 2],
}

impl Installation {
    fn of(program: &Path) -> Result<Self> {
        // Homebrew's program is a link into the folder of its other files.
        let program = program
            .canonicalize()
            .with_context(|| format!("there is no {}", program.display()))?;
        let base = program
            .ancestors()
            .nth(2)
            .context("the program of MariaDB is not in a bin folder")?
            .to_path_buf();
        for (folder, name) in [
            ("mysql", "mysql"),
            ("mysql", "mariadb"),
            ("mariadb", "mariadb"),
        ] {
            let file =
                |end: &str| base.join(format!("share/{folder}/{name}_system_tables{end}.sql"));
            let system_tables = [file(""), file("_data")];
            if system_tables.iter().all(|file| file.exists()) {
                return Ok(Self {
                    program,
                    base,
                    system_tables,
                });
            }
        }
        bail!(
            "the installation of {} has no share/mysql/mysql_system_tables.sql",
            program.display()
        )
    }

    /// The arguments of the bootstrap and of the server.
    fn arguments(&self, folder: &Path, data: &Path) -> Vec<String> {
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            format!("--basedir={}", self.base.display()),
            format!("--datadir={}", data.display()),
            format!("--tmpdir={}", folder.join("tmp").display()),
            "--skip-log-bin".to_owned(),
        ];
        arguments.extend(SIZES.map(str::to_owned));
        if rustix::process::geteuid().is_root() {
            // It does not run as root without this.
            arguments.push("--user=root".to_owned());
        }
        arguments
    }
}

/// Creates the system tables, the database and its user, in a folder that gets its
/// final name at the end, so that an interrupted bootstrap leaves nothing.
async fn bootstrap(installation: &Installation, folder: &Path) -> Result<()> {
    let new = folder.join("data.new");
    if new.exists() {
        fs::remove_dir_all(&new)?;
    }
    fs::create_dir_all(new.join("mysql"))?;

    let mut sql =
        String::from("use mysql;\nSET @auth_root_socket=NULL;\nSET @skip_auth_anonymous=1;\n");
    for file in &installation.system_tables {
        sql.push_str(&fs::read_to_string(file)?);
    }
    // A bootstrap reads one statement a line. The address that the server listens
    // on decides from which hosts the user may connect.
    let own = format!(
        "\nCREATE DATABASE {NAME} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\n\
         FLUSH PRIVILEGES;\n\
         CREATE USER '{NAME}'@'%' IDENTIFIED BY '{NAME}';\n\
         GRANT ALL ON *.* TO '{NAME}'@'%' WITH GRANT OPTION;\n"
    );
    sql.push_str(&own);
    let script = folder.join("bootstrap.sql");
    fs::write(&script, sql)?;

    let log = folder.join("log");
    let output = File::create(&log)?;
    let status = tokio::process::Command::new(&installation.program)
        .args(installation.arguments(folder, &new))
        .args([
            "--bootstrap",
            "--innodb-autoextend-increment=1",
            "--loose-innodb-stats-persistent=OFF",
            "--key-buffer-size=1M",
            "--aria-pagecache-buffer-size=8M",
        ])
        .stdin(File::open(&script)?)
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true)
        .status()
        .await?;
    if !status.success() {
        bail!("its bootstrap failed ({status}):\n{}", log_end(&log));
    }
    fs::rename(new, folder.join("data"))?;
    Ok(())
}

fn spawn(
    installation: &Installation,
    folder: &Path,
    address: SocketAddr,
    durability: Durability,
    tls: Option<&Tls>,
) -> Result<Guarded> {
    let log = File::create(folder.join("log"))?;
    let mut command = guard::command(&installation.program, STOP_GRACE);
    command
        .args(installation.arguments(folder, &folder.join("data")))
        // Relative to the data: the path of a socket must be short.
        .arg("--socket=socket")
        .arg(format!("--pid-file={}", folder.join("pid").display()))
        .arg(format!("--bind-address={}", address.ip()))
        .arg("--skip-name-resolve")
        .arg(format!("--port={}", address.port()))
        .args([
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
        ])
        .stdout(Stdio::from(log.try_clone()?))
        .stderr(Stdio::from(log));
    if durability == Durability::ThrowAway {
        command.args([
            "--innodb-flush-method=nosync",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=OFF",
        ]);
    }
    if let Some(Tls { certificate, key }) = tls {
        command
            .arg(format!("--ssl-cert={}", certificate.display()))
            .arg(format!("--ssl-key={}", key.display()));
    }
    Guarded::spawn(command).context("MariaDB cannot be started")
}

/// The address if nothing listens on it, with a free port for port 0.
fn free_port(address: SocketAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind(address).with_context(|| {
        format!("MySQL cannot listen on {address}: choose another port with --mysql-port")
    })?;
    Ok(listener.local_addr()?)
}

/// The last lines of a log, where the reason is.
fn log_end(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(15)..)
        .unwrap_or_default()
        .join("\n")
}
