//! A connection that closes at once.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use mysql_async::{Conn, DriverError};
use tokio::time::Instant;

/// A connection. When it is dropped, such as in the middle of a statement of an
/// abandoned request, it is closed at once. The driver alone would first wait for
/// the rest of the response, which may never arrive.
pub(crate) struct Connection {
    conn: Option<Conn>,
    /// When it was opened.
    pub(crate) opened: Instant,
}

impl Connection {
    /// A connection that was opened now.
    pub(crate) fn new(conn: Conn) -> Self {
        Self {
            conn: Some(conn),
            opened: Instant::now(),
        }
    }

    /// The driver's connection.
    pub(crate) fn conn(&mut self) -> Result<&mut Conn, mysql_async::Error> {
        let conn = self.conn.as_mut();
        conn.ok_or_else(|| DriverError::ConnectionClosed.into())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            // One poll sends COM_QUIT if that is possible without waiting.
            let disconnect = pin!(conn.disconnect());
            let _ = disconnect.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}
