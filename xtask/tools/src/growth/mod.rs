// region: mysqldata nosqldata
//! How the time of a request grows with the data, and with concurrent instances.
//!
//! Each size has a database, a catalogue and instances of its own, and all are measured
//! in turns, so that a slow moment of the machine is in the figures of each.

mod fill;
mod function;
mod report;
mod results;
mod system;

use std::{ops::Range, time::Duration};

use anyhow::Result;
use serde_json::json;

use crate::folder::own_folder;
use results::{Concurrency, Figure, Results};
use system::{PAGE, Request, Server, System};

/// The instances of `mysqldata` in the measurement of concurrency.
const INSTANCES: [usize; 4] = [1, 4, 16, 64];

/// The orders that all instances of a measurement place together.
const CONCURRENT_ORDERS: usize = 640;

/// The parts in which the calls of a kind are measured.
const TURNS: usize = 5;

/// The calls of a kind before those that are measured.
const WARM_UP: usize = 10;

/// Measure the time of a request against the size of the data
#[derive(clap::Args)]
pub struct Arguments {
    /// The numbers of orders, from the smallest
    #[arg(long, value_name = "N", value_delimiter = ',', required = true)]
    sizes: Vec<u32>,

    /// The calls of each kind
    #[arg(long, value_name = "N")]
    calls: u32,

    /// Write the tables to docs/growth.md, and the plot beside it
    #[arg(long)]
    write: bool,
}

/// The n-th request of a kind, to a system.
type NthRequest = fn(&System, usize) -> Request;

/// Every kind of request by its name, in the order in which they are measured: those
/// that change the number of orders come last.
const KINDS: [(&str, NthRequest); 13] = [
    ("list, page 1", |_, _| {
        get(format!("/mysqldata?limit={PAGE}"))
    }),
    ("list, page 1000", |system, _| {
        get(format!("/mysqldata?limit={PAGE}{}", system.page_1000))
    }),
    ("list of a customer", |_, n| {
        get(format!(
            "/mysqldata?limit={PAGE}&customer=customer-{}",
            n % 5
        ))
    }),
    ("read", |system, n| {
        get(format!("/mysqldata/{}", system.ids[n % system.ids.len()]))
    }),
    ("summary by day", |_, _| get("/mysqldata/summary?by=day")),
    ("summary by status", |_, _| {
        get("/mysqldata/summary?by=status")
    }),
    ("summary by product", |_, _| {
        get("/mysqldata/summary?by=product")
    }),
    ("products, page 1", |_, _| {
        get(format!("/nosqldata?limit={PAGE}"))
    }),
    ("products, page 1000", |system, _| {
        get(format!(
            "/nosqldata?limit={PAGE}{}",
            system.products_page_1000
        ))
    }),
    ("read a product", |_, n| {
        get(format!("/nosqldata/p{}", n % 100))
    }),
    ("place 1 line", |_, n| order(1, n)),
    ("place 10 lines", |_, n| order(10, n)),
    ("place 100 lines", |_, n| order(100, n)),
];

fn get(target: impl Into<String>) -> Request {
    Request(target.into(), None)
}

/// An order of so many lines, whose products change.
fn order(lines: usize, n: usize) -> Request {
    let line = |i: usize| json!({"productId": format!("p{}", (n + i) % 100), "quantity": 1});
    let lines: Vec<_> = (0..lines).map(line).collect();
    let order = json!({"customer": "customer-1", "lines": lines});
    Request("/mysqldata".to_owned(), Some(order))
}

/// Measures and reports.
///
/// # Errors
/// The system cannot be started, or a request fails.
pub async fn run(arguments: &Arguments) -> Result<()> {
    let output = own_folder("growth")?;
    let server = Server::start().await?;
    let mut systems = Vec::new();
    for (n, &orders) in arguments.sizes.iter().enumerate() {
        // The concurrency is measured on the smallest.
        let instances = if n == 0 {
            INSTANCES[INSTANCES.len() - 1]
        } else {
            1
        };
        systems.push(System::start(&output, &server, orders, instances).await?);
    }
    let mut figures = Vec::new();
    for kind in KINDS {
        figures.extend(measure(arguments, &server, &systems, kind).await?);
    }
    let mut concurrency = Vec::new();
    for instances in INSTANCES {
        let figures = concurrent(&server, &systems[0], instances).await?;
        eprintln!("growth: {figures:?}");
        concurrency.push(figures);
    }
    let results = Results {
        orders: arguments.sizes.clone(),
        products: systems.iter().map(|system| system.products).collect(),
        backfill_ms: systems.iter().map(|it| it.backfill.as_millis()).collect(),
        figures,
        concurrency,
    };
    report::write(&results, &output, arguments.write)
}

/// Measures one kind of request at each size, in turns.
async fn measure(
    arguments: &Arguments,
    server: &Server,
    systems: &[System],
    (name, request): (&str, NthRequest),
) -> Result<Vec<Figure>> {
    let calls = arguments.calls as usize;
    let mut times = vec![Vec::new(); systems.len()];
    let mut processor = vec![Duration::ZERO; systems.len()];
    let requests = |system: &System, range: Range<usize>| {
        range.map(|n| request(system, n)).collect::<Vec<_>>()
    };
    for system in systems {
        for request in requests(system, calls..calls + WARM_UP) {
            system.send(request).await?;
        }
    }
    for turn in 0..TURNS {
        for (n, system) in systems.iter().enumerate() {
            let turn = calls * turn / TURNS..calls * (turn + 1) / TURNS;
            let requests = requests(system, turn);
            system.take_times();
            let before = server.processor_time(system)?;
            for request in requests {
                system.send(request).await?;
            }
            processor[n] += server.processor_time(system)?.saturating_sub(before);
            times[n].extend(system.take_times());
        }
    }
    let figures = systems.iter().zip(times).zip(processor);
    let figures = figures.map(|((system, times), processor)| Figure {
        request: name.to_owned(),
        orders: system.orders,
        median_us: median(times),
        processor_us: (processor / arguments.calls).as_micros(),
    });
    let figures: Vec<_> = figures.collect();
    eprintln!("growth: {figures:?}");
    Ok(figures)
}

/// Places orders from so many clients at the same time.
async fn concurrent(server: &Server, system: &System, instances: usize) -> Result<Concurrency> {
    let (waits, _) = server.lock_waits().await?;
    system.take_times();
    let before = server.processor_time(system)?;
    let clients = (0..instances).map(|client| async move {
        for n in 0..CONCURRENT_ORDERS / instances {
            system.send(order(1, client + n)).await?;
        }
        anyhow::Ok(())
    });
    futures_util::future::try_join_all(clients).await?;
    let processor = server.processor_time(system)?.saturating_sub(before);
    let (waits_after, longest_lock_wait_ms) = server.lock_waits().await?;
    Ok(Concurrency {
        instances,
        median_us: median(system.take_times()),
        processor_us: (processor / u32::try_from(CONCURRENT_ORDERS)?).as_micros(),
        lock_waits: waits_after - waits,
        longest_lock_wait_ms,
    })
}

fn median(mut times: Vec<Duration>) -> u128 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0, Duration::as_micros)
}
// endregion
