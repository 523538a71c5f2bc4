//! Query strings.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{case, make, product};
use crate::surfaces::{Api, Case, Outcome};

/// The two functions that know their parameters.
const LISTS: [&str; 2] = ["/nosqldata", "/mysqldata"];

pub fn cases() -> Vec<Case> {
    vec![
        case!("a repeated parameter is 422 to the data services", repeated),
        case!("an unknown parameter is 422 to the data services", unknown),
        case!("parameters are ignored elsewhere", ignored),
        case!("an empty value is 422", empty),
        case!("an empty query is none", none),
        case!("blanks as + and as %20", blanks),
        case!("escaped unicode and separators in a value", escaped),
        case!("a value that is no UTF-8 is 422", no_utf8),
        case!("a changed cursor is 400", cursor),
    ]
}

async fn repeated(api: &Api) -> Outcome {
    for list in LISTS {
        for target in [
            format!("{list}?limit=1&limit=2"),
            format!("{list}?limit=1&limit=1"),
            format!("{list}?limit=1&l%69mit=1"),
        ] {
            let refused = api.get(&target).await?;
            refused.faults(422, "invalid-request", &["limit"])?;
        }
    }
    Ok(())
}

async fn unknown(api: &Api) -> Outcome {
    for list in LISTS {
        let refused = api.get(&format!("{list}?colour=blue&limit=0")).await?;
        refused.faults(422, "invalid-request", &["colour", "limit"])?;
    }
    Ok(())
}

async fn ignored(api: &Api) -> Outcome {
    for target in [
        "/?a=1&a=2&b",
        "/oscheck?a=%F0%9F%AB%96&a=&=",
        "/health/docs?a=%zz&a=%FF",
    ] {
        let answer = api.get(target).await?;
        answer.status(200)?;
    }
    Ok(())
}

async fn empty(api: &Api) -> Outcome {
    for (target, name) in [
        ("/nosqldata?limit=", "limit"),
        ("/nosqldata?category", "category"),
        ("/nosqldata?ids=", "ids"),
        ("/mysqldata?customer=", "customer"),
        ("/mysqldata?status", "status"),
    ] {
        let refused = api.get(target).await?;
        refused.faults(422, "invalid-request", &[name])?;
    }
    Ok(())
}

async fn none(api: &Api) -> Outcome {
    for list in LISTS {
        for query in ["?", "?&", "?&&limit=1&"] {
            let answer = api.get(&format!("{list}{query}")).await?;
            answer.status(200)?;
        }
    }
    Ok(())
}

/// That a list by `category`, escaped in each of these ways, has the one product
/// of it.
async fn finds(api: &Api, category: &str, escaped: [String; 2]) -> Outcome {
    let mut product = product(api);
    product["category"] = category.into();
    let (_, made) = make(api, &product).await?;
    let id = made.text_at("/id")?;
    for escaped in escaped {
        let list = api.get(&format!("/nosqldata?category={escaped}")).await?;
        let json = list.status(200)?.value_of_json()?;
        let items = json["items"].as_array().map(Vec::as_slice);
        let found = matches!(items, Some([item]) if item["id"] == id.as_str());
        list.that(found, format_args!("the one product {id}"))?;
    }
    Ok(())
}

async fn blanks(api: &Api) -> Outcome {
    let category = format!("tea pots {}", api.unique());
    let escaped = ["+", "%20"].map(|blank| category.replace(' ', blank));
    finds(api, &category, escaped).await
}

async fn escaped(api: &Api) -> Outcome {
    let category = format!("é&=+%/?#🫖{}", api.unique());
    let upper = utf8_percent_encode(&category, NON_ALPHANUMERIC).to_string();
    let lower = upper.replace("%C3%A9", "%c3%a9").replace("%2F", "%2f");
    finds(api, &category, [upper, lower]).await
}

async fn no_utf8(api: &Api) -> Outcome {
    for value in ["%FF", "a%C3", "%ED%A0%80"] {
        let refused = api.get(&format!("/nosqldata?category={value}")).await?;
        refused.faults(422, "invalid-request", &["category"])?;
    }
    Ok(())
}

async fn cursor(api: &Api) -> Outcome {
    for list in LISTS {
        for cursor in ["nonsense", "%F0%9F%AB%96", "a+b%2F%3D"] {
            let refused = api.get(&format!("{list}?cursor={cursor}")).await?;
            refused.faults(400, "malformed-request", &["cursor"])?;
        }
    }
    Ok(())
}
