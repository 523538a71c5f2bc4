//! The addresses of the stores that `cargo xtask test` started.

/// The URL of a store, from the environment.
pub fn store(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: these tests need a DynamoDB and a MySQL server.\n\
             Run `cargo xtask test`, which starts both, runs every test and stops both."
        )
    })
}
