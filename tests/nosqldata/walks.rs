//! Walks of the whole catalogue while it changes.

use std::collections::BTreeSet;

use testbed::{System, product};

#[tokio::test]
async fn walk_continues_after_the_last_product_of_its_page_is_deleted() {
    let system = System::start().await;
    let client = &system.client;
    let ids: BTreeSet<_> = (0..20).map(|n| format!("p{n}")).collect();
    for id in &ids {
        let path = format!("/nosqldata/{id}");
        client.put(&path, &product(id)).await.expect(201);
    }
    let mut walked = Vec::new();
    let mut cursor = String::new();
    for _ in 0..=ids.len() {
        let page = client.get(&format!("/nosqldata?limit=3{cursor}")).await;
        let page = page.expect(200);
        let items = page.items();
        let found = items.iter().map(|item| item["id"].as_str().unwrap());
        walked.extend(found.map(str::to_owned));
        let next = page.json()["nextCursor"].clone();
        let Some(next) = next.as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
        // The product that the cursor continues after.
        if let Some(last) = walked.last().filter(|_| !items.is_empty()) {
            let deleted = client.delete(&format!("/nosqldata/{last}")).await;
            deleted.expect(204);
        }
    }
    assert_eq!(walked.len(), ids.len(), "{walked:?}");
    assert_eq!(walked.into_iter().collect::<BTreeSet<_>>(), ids);
}
