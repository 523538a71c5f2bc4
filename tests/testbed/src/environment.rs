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

/// The address in a URL: `127.0.0.1:8000`.
pub fn address(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority).to_owned()
}
