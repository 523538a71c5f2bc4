//! Replays every event under `events/` through the handler that Lambda calls,
//! on real stores, and compares the response with its snapshot.
//!
//! Each file `events/<function>/<case>.json` is a test; it needs no code.
//! `INSTA_UPDATE=always cargo xtask test -- replay` regenerates the snapshots.

use std::path::Path;

use testbed::redact;

fn replay(path: &Path) -> datatest_stable::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let replayed = testbed::replay::replay(path).await?;
        let known = [std::fs::read_to_string(path)?, testbed::replay::samples()?].concat();
        let function = replayed.function.clone();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(format!(
            "{}/snapshots/{function}",
            env!("CARGO_MANIFEST_DIR")
        ));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            insta::assert_snapshot!(
                replayed.case.as_str(),
                redact::redact(&replayed.to_string(), &known)
            );
        });
        Ok(())
    })
}

datatest_stable::harness! {
    { test = replay, root = "../events", pattern = r"\.json$" },
}
