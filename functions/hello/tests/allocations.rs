//! The allocations of a warm call: what the chassis adds to every function.

use chassis::{runtime::Handler, telemetry::json_lines};
use lambda_runtime::{Context, LambdaEvent};
use tracing_subscriber::layer::SubscriberExt;

/// The most allocations of a warm call of `GET /`, from the parsed event to the
/// response, with its line in the log. More need a reason.
const LIMIT: u64 = 77;

#[test]
fn warm_call_allocates_no_more_than_its_limit() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let handler = Handler::new(hello::router().into_service(), String::new());
    let log = tracing_subscriber::registry().with(json_lines(std::io::sink));
    tracing::subscriber::set_global_default(log).unwrap();
    let event = include_str!("../../../events/hello/get.json");
    let call = || {
        let event = LambdaEvent::new(serde_json::from_str(event).unwrap(), Context::default());
        let response = runtime.block_on(handler.handle(event)).unwrap();
        assert!(
            serde_json::to_string(&response)
                .unwrap()
                .contains("Hello Kea")
        );
    };
    // The first call fills caches.
    call();
    // The fewest of some calls: one now and then makes one more.
    let counted = (0..10).map(|_| allocation_counter::measure(call).count_total);
    let allocations = counted.min().unwrap();
    assert!(
        allocations <= LIMIT,
        "{allocations} allocations, over {LIMIT}"
    );
}
