// region: mysql
//! A test's own `MySQL` database.

use std::{fmt::Debug, thread};

use mysql_async::{Conn, Opts};
use stores::mysql;
use tokio::runtime::Builder;

use crate::store;

/// A test's own database, on the server of the tests. It is dropped with this: a server
/// slows down with thousands of them.
pub struct Database {
    /// Its URL.
    pub url: String,
    /// Its name.
    pub name: String,
}

impl Database {
    /// Creates one, empty.
    pub async fn create() -> Self {
        Self::named(format!("test_{}", uuid::Uuid::now_v7().simple())).await
    }

    /// Creates one of this name, empty.
    pub(crate) async fn named(name: String) -> Self {
        let url = mysql::create_database(&store("KEA_TEST_MYSQL_URL"), &name).await;
        let url = url.expect("a database");
        Self { url, name }
    }

    /// A connection to it, past any proxy.
    pub async fn connect(&self) -> Conn {
        let opts = Opts::from_url(&self.url).expect("a URL");
        Conn::new(opts).await.expect("a connection")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        finally(mysql::drop_database(&self.url, &self.name));
    }
}

/// Runs the future of a destructor to its end. It has a thread of its own, because a
/// destructor cannot wait in the test's runtime. After a panic its failure is ignored.
pub fn finally<E: Debug + Send>(future: impl Future<Output = Result<(), E>> + Send) {
    let result = thread::scope(|scope| {
        let running = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(future)
        });
        running.join()
    });
    if !thread::panicking() {
        let result = result.expect("the thread does not panic");
        result.expect("what a destructor does succeeds");
    }
}
// endregion
