//! The token of a role, used as a password: a presigned request to connect.

use std::time::Duration;

use chassis::{environment::Role, outbound::aws::presign};
use dto::Timestamp;

/// The lifetime of a token: the longest that RDS accepts.
const LIFETIME: Duration = Duration::from_mins(15);

/// A token of `role` for `user` at `host`, as
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.Connecting.html>
/// describes it.
pub(crate) fn sign(role: &Role, host: &str, port: u16, user: &str, now: Timestamp) -> String {
    let host = format!("{host}:{port}");
    let parameters = [("Action", "connect"), ("DBUser", user)];
    presign(role, "rds-db", &host, &parameters, LIFETIME, now)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The same as boto3's `generate_db_auth_token` returns, whose parameters are
    /// in another order.
    #[test]
    fn a_token_equals_that_of_other_sdks() {
        let role = Role {
            region: "eu-north-1".to_owned(),
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: Some("a/session+token==".to_owned()),
        };
        let at = Timestamp::parse_time_or_date("2026-11-23T01:07:00Z").unwrap();
        let host = "db.abc.eu-north-1.rds.amazonaws.com";
        let token = sign(&role, host, 3306, "orders", at);
        let (address, query) = token.split_once('?').unwrap();
        assert_eq!(address, "db.abc.eu-north-1.rds.amazonaws.com:3306/");
        let expected = BTreeSet::from([
            "Action=connect",
            "DBUser=orders",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Feu-north-1%2Frds-db%2Faws4_request",
            "X-Amz-Date=20261123T010700Z",
            "X-Amz-Expires=900",
            "X-Amz-Security-Token=a%2Fsession%2Btoken%3D%3D",
            "X-Amz-Signature=8110ac030299b085d450206d6a4a7e760c7d12f6a9ea1d0d7285db3ba45b609b",
            "X-Amz-SignedHeaders=host",
        ]);
        assert_eq!(query.split('&').collect::<BTreeSet<_>>(), expected);
    }
}
