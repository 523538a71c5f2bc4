//! Paths that lead nowhere, and ids with escapes in them.

use super::{case, make, place, product};
use crate::surfaces::{Api, Case, Kind, Outcome};

pub fn cases() -> Vec<Case> {
    vec![
        case!("a path that no function declares", nowhere)
            .differs(
                &[Kind::Watch],
                "answers a path that it does not route with a 404 of its own",
                |api| Box::pin(nowhere_to_watch(api)),
            )
            .differs(
                &[Kind::StartApi],
                "answers a path that it does not route with a 403 of its own",
                |api| Box::pin(nowhere_to_start_api(api)),
            ),
        case!("nothing of this name under a function", nothing_under),
        case!("escaped characters of an id", escaped),
        case!("an escaped slash in an id", slash)
            .differs(
                &[Kind::Watch],
                "does not decode the path, so that an escaped slash is part of the id",
                |api| Box::pin(slash_in_id(api)),
            )
            .differs(
                &[Kind::StartApi],
                "decodes the path before it routes it, so that no function gets an escaped slash",
                |api| Box::pin(slash_in_path(api)),
            ),
        case!("an escaped percent sign in an id", percent),
        case!("ids that nothing can have", impossible),
        case!("ids that are no UTF-8", no_utf8),
        case!("the id of no order", no_order),
    ]
}

const NOWHERE: [&str; 3] = ["/nowhere", "/hello", "/nosqldata/a/b"];

/// The gateway's own answer.
async fn nowhere(api: &Api) -> Outcome {
    for path in NOWHERE {
        let answer = api.get(path).await?;
        answer.status(404)?.member("/message", "Not Found")?;
    }
    Ok(())
}

async fn nowhere_to_watch(api: &Api) -> Outcome {
    for path in NOWHERE {
        let answer = api.get(path).await?;
        answer
            .status(404)?
            .member("/title", "Default function disabled")?;
    }
    Ok(())
}

async fn nowhere_to_start_api(api: &Api) -> Outcome {
    for path in NOWHERE {
        let answer = api.get(path).await?;
        answer
            .status(403)?
            .member("/message", "Missing Authentication Token")?;
    }
    Ok(())
}

async fn nothing_under(api: &Api) -> Outcome {
    for path in ["/problems/teapot", "/docs/nothing.js"] {
        let refused = api.get(path).await?;
        refused.problem(404, "not-found")?;
    }
    Ok(())
}

async fn escaped(api: &Api) -> Outcome {
    let (path, made) = make(api, &product(api)).await?;
    for escaped in [path.replace('-', "%2D"), path.replace('-', "%2d")] {
        let read = api.get(&escaped).await?;
        read.status(200)?.member("/id", made.text_at("/id")?)?;
    }
    let dotted = format!("{}.v1_%2E", api.unique());
    let put = api
        .json("PUT", &format!("/nosqldata/{dotted}"), &[], &product(api))
        .await?;
    let id = dotted.replace("%2E", ".");
    put.status(201)?.member("/id", id.as_str())?;
    let read = api.get(&format!("/nosqldata/{id}")).await?;
    read.status(200)?;
    let (order, placed) = place(api, 1).await?;
    let read = api.get(&order.replace('-', "%2D")).await?;
    read.status(200)?.member("/id", placed.text_at("/id")?)?;
    Ok(())
}

/// The gateway decodes the path, so the function sees one that it has not.
async fn slash(api: &Api) -> Outcome {
    let target = format!("/nosqldata/{}%2Fb", api.unique());
    let refused = api.get(&target).await?;
    refused.problem(404, "unknown-path")?;
    Ok(())
}

async fn slash_in_id(api: &Api) -> Outcome {
    let target = format!("/nosqldata/{}%2Fb", api.unique());
    let refused = api.get(&target).await?;
    refused.problem(404, "not-found")?;
    Ok(())
}

async fn slash_in_path(api: &Api) -> Outcome {
    let target = format!("/nosqldata/{}%2Fb", api.unique());
    let refused = api.get(&target).await?;
    refused
        .status(403)?
        .member("/message", "Missing Authentication Token")?;
    Ok(())
}

/// `%2541` is `%41`, which no id can be, and not the letter A.
async fn percent(api: &Api) -> Outcome {
    let id = format!("A{}", api.unique());
    let put = api
        .json("PUT", &format!("/nosqldata/{id}"), &[], &product(api))
        .await?;
    put.status(201)?;
    let escaped = id.replacen('A', "%2541", 1);
    for escaped in [escaped, format!("{id}%25"), format!("{id}%2525")] {
        let refused = api.get(&format!("/nosqldata/{escaped}")).await?;
        refused.problem(404, "not-found")?;
    }
    Ok(())
}

async fn impossible(api: &Api) -> Outcome {
    for id in [
        "caf%C3%A9",
        "%E6%97%A5%E6%9C%AC",
        "%F0%9F%AB%96",
        "a%20b",
        "a+b",
        "%20",
        "-mug",
        "a%23b",
        "a%00b",
        "a%0Ab",
        "a%22b",
        "%5C",
        "a;b",
        "a%7Bb%7D",
    ] {
        let refused = api.get(&format!("/nosqldata/{id}")).await?;
        refused.problem(404, "not-found")?;
    }
    Ok(())
}

async fn no_utf8(api: &Api) -> Outcome {
    for id in ["%FF", "a%C3", "%ED%A0%80"] {
        let refused = api.get(&format!("/nosqldata/{id}")).await?;
        refused.problem(404, "not-found")?;
    }
    Ok(())
}

async fn no_order(api: &Api) -> Outcome {
    for id in ["42", "00000000-0000-7000-8000-000000000000", "%C3%A9"] {
        let refused = api.get(&format!("/mysqldata/{id}")).await?;
        refused.problem(404, "not-found")?;
    }
    Ok(())
}
