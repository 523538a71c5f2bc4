// region: mysqldata nosqldata
//! A function's program whose calls are timed.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};
use testbed::Instance;

use crate::program::Program;

/// A function's program.
pub struct Timed {
    /// The program.
    pub program: Program,
    /// Where the durations of its calls go.
    pub times: Times,
}

/// The durations of the calls of all instances that share it, from the event to the
/// response.
pub type Times = Arc<Mutex<Vec<Duration>>>;

impl Instance for Timed {
    fn invoke(&self, event: Value) -> BoxFuture<'_, Value> {
        let invocation = async {
            let started = Instant::now();
            let response = self.program.invoke(event).await;
            self.times.lock().unwrap().push(started.elapsed());
            response.unwrap_or_else(|| json!({"errorMessage": "the function ended"}))
        };
        invocation.boxed()
    }
}
// endregion
