//! `/@name@`.

use crate::{Api, Case};

pub fn cases() -> Vec<Case> {
    vec![case!(@name@_are_listed)]
}

async fn @name@_are_listed(api: Api) {
    let listed = api.get("/@name@").await.expect(200);
    assert!(listed.json()["items"].is_array(), "{listed}");
}
