// region: mysqldata nosqldata
//! Linearizability: clients that operate on shared products and orders, and
//! every response checked against all the others.
//!
//! Each object has its own [`history`], since linearizability is local
//! (Herlihy and Wing 1990, theorem 1): all is linearizable if each object is.

mod history;
mod model;
mod order;
mod product;
mod subject;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{task::JoinHandle, time::sleep};

use crate::{Client, eventually};
use model::Model;
use order::Order;
use product::Product;
use subject::Subject;

/// The pause of a client after an unknown outcome: more requests during an
/// outage would show nothing new.
const PAUSE: Duration = Duration::from_millis(100);

/// Clients at work, and what they record.
pub struct Recording {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    client: Client,
    stopped: AtomicBool,
    products: Pool<Product>,
    orders: Pool<Order>,
}

/// Objects of one kind; the last is the one in use.
type Pool<M> = Mutex<Vec<Arc<Subject<M>>>>;

/// The result of checking a recording.
#[derive(Debug, Default)]
pub struct Report {
    /// The number of operations.
    pub operations: usize,
    /// The number of writes whose outcome is unknown.
    pub unknown: usize,
    /// The number of objects.
    pub objects: usize,
    /// The violations, object by object.
    pub violations: Vec<String>,
}

impl Recording {
    /// Starts so many clients, each with one request at a time. Half of them
    /// share a product, the others an order.
    pub fn start(client: Client, clients: usize) -> Self {
        let shared = Arc::new(Shared {
            client,
            stopped: AtomicBool::new(false),
            products: Pool::default(),
            orders: Pool::default(),
        });
        let clients = (0..clients)
            .map(|number| {
                let shared = shared.clone();
                tokio::spawn(async move {
                    while !shared.stopped.load(Ordering::Relaxed) {
                        let known = if number % 2 == 0 {
                            operate(&shared.client, &shared.products, number).await
                        } else {
                            operate(&shared.client, &shared.orders, number).await
                        };
                        if !known {
                            sleep(PAUSE).await;
                        }
                    }
                })
            })
            .collect();
        Self { shared, clients }
    }

    /// Waits until this many more operations have been invoked.
    ///
    /// # Panics
    /// A client has ended, or the operations take longer than [`eventually`] waits.
    pub async fn advances(&self, operations: usize) {
        let until = self.shared.operations() + operations;
        eventually(async || {
            let has_ended = self.clients.iter().any(JoinHandle::is_finished);
            assert!(!has_ended, "a client has ended");
            (self.shared.operations() >= until).then_some(())
        })
        .await;
    }

    /// Stops the clients, reads each object a last time, and checks each
    /// history. All must be healthy again.
    ///
    /// # Errors
    /// A client has panicked.
    pub async fn finish(self) -> Result<Report> {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await?;
        }
        let mut report = Report::default();
        let Shared {
            client,
            products,
            orders,
            ..
        } = &*self.shared;
        report.add(client, products).await;
        report.add(client, orders).await;
        Ok(report)
    }
}

impl Shared {
    fn operations(&self) -> usize {
        let Self {
            products, orders, ..
        } = self;
        operations(products) + operations(orders)
    }
}

impl Report {
    /// Checks that there is no violation.
    #[track_caller]
    pub fn expect_linearizable(&self) {
        let violations = self.violations.join("\n");
        assert!(violations.is_empty(), "{violations}");
    }

    async fn add<M: Model>(&mut self, client: &Client, pool: &Pool<M>) {
        let subjects = std::mem::take(&mut *lock(pool));
        for subject in subjects {
            let read = subject.read_until_known(client).await;
            let (operations, unknown) = subject.counts();
            self.operations += operations;
            self.unknown += unknown;
            self.objects += 1;
            if !read {
                let path = subject.path();
                self.violations
                    .push(format!("{path} cannot be read in the end"));
            }
            self.violations.extend(subject.violations());
        }
    }
}

/// One operation on the object in use, or a new object if that is worn out;
/// whether the outcome is known.
async fn operate<M: Model>(client: &Client, pool: &Pool<M>, number: usize) -> bool {
    if let Some(subject) = in_use(pool) {
        return subject.operate(client, number).await;
    }
    let Some((path, tag)) = M::create(client).await else {
        return false;
    };
    // Another client may have been faster.
    if in_use(pool).is_none() {
        let subject = Arc::new(Subject::new(path, tag));
        lock(pool).push(subject);
    }
    true
}

fn in_use<M: Model>(pool: &Pool<M>) -> Option<Arc<Subject<M>>> {
    let pool = lock(pool);
    let last = pool.last()?;
    (!last.is_worn_out()).then(|| last.clone())
}

fn operations<M: Model>(pool: &Pool<M>) -> usize {
    lock(pool).iter().map(|subject| subject.counts().0).sum()
}

fn lock<M: Model>(pool: &Pool<M>) -> MutexGuard<'_, Vec<Arc<Subject<M>>>> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}
// endregion
