//! The black-box suite: checks the contract over HTTP.
//!
//! Each case is a test with a name. `cargo xtask test` runs them on the system in
//! process, `cargo xtask surfaces` on every way of using the bundle. A case creates
//! what it needs under names of its own, so that the suite can also run against a
//! deployment that others use.

/// The case that this function checks, named after it and its file.
macro_rules! case {
    ($check:ident) => {
        $crate::Case::new(module_path!(), stringify!($check), check!($check))
    };
}

/// A function of a surface as a [`Check`].
macro_rules! check {
    ($check:ident) => {
        std::sync::Arc::new(|api| Box::pin($check(api)))
    };
}

mod api;
mod authorization;
mod base_paths;
mod caching;
mod case;
mod documents;
mod greetings;
mod headers;
mod health;
mod methods;
// region: mysqldata nosqldata
mod mysqldata;
// endregion
mod nosqldata;
mod oscheck;
mod paths;
mod problems;
mod queries;

use libtest_mimic::Trial;
use tokio::runtime::Handle;

pub use api::{Api, Kind};
pub use case::{Case, Check, Verdict};

/// Every case, topic by topic.
pub fn cases() -> Vec<Case> {
    [
        greetings::cases(),
        authorization::cases(),
        health::cases(),
        oscheck::cases(),
        nosqldata::cases(),
        // region: mysqldata nosqldata
        mysqldata::cases(),
        // endregion
        documents::cases(),
        problems::cases(),
        methods::cases(),
        paths::cases(),
        base_paths::cases(),
        queries::cases(),
        headers::cases(),
        caching::cases(),
    ]
    .concat()
}

/// The test of a case on a surface. It reports its verdict to `record`. On a busy
/// machine, a function in an emulator exceeds the timeouts of a deployment, so there
/// a case that was not responded to in time is judged again, one time.
pub fn trial(
    case: Case,
    runtime: Handle,
    api: impl FnOnce() -> Api + Send + 'static,
    record: impl FnOnce(&Verdict) + Send + 'static,
) -> Trial {
    Trial::test(format!("{}::{}", case.topic, case.name), move || {
        let api = api();
        let mut verdict = runtime.block_on(case.judge(&api));
        if verdict.is_late() && api.kind().is_emulated() {
            eprintln!("{}::{} is judged again: {verdict:?}", case.topic, case.name);
            verdict = runtime.block_on(case.judge(&api));
        }
        record(&verdict);
        match verdict {
            Verdict::Pass | Verdict::Differs(_) => Ok(()),
            Verdict::Fail(failure) => Err(failure.into()),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use axum::{Router, http::StatusCode};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_case_fails_where_every_response_is_wrong() {
        let teapot = Router::new().fallback(|| async { StatusCode::IM_A_TEAPOT });
        let url = testbed::serve(teapot).await;
        for kind in Kind::ALL {
            let api = Api::new(kind, &url);
            for case in cases() {
                let verdict = case.judge(&api).await;
                assert!(matches!(verdict, Verdict::Fail(_)), "{}", case.name);
            }
        }
    }

    #[test]
    fn every_case_has_its_own_name() {
        let names: HashSet<_> = cases().iter().map(|case| case.name).collect();
        assert_eq!(names.len(), cases().len());
    }
}
