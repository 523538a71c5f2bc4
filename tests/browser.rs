//! The two pages in a real browser: Chromium, over its own protocol.
//!
//! They are of a system in this process, or of the API at `KEA_TEST_API_URL`:
//! `cargo xtask browser` sets that to one behind `cargo lambda watch`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends by panicking"
)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chromiumoxide::{
    Browser, BrowserConfig, Page,
    cdp::{
        browser_protocol::{
            emulation::{MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams},
            log,
            network::{self, EventLoadingFailed, EventRequestWillBeSent, EventResponseReceived},
        },
        js_protocol::runtime::{
            self, ConsoleApiCalledType, EventConsoleApiCalled, EventExceptionThrown,
        },
    },
};
use futures_util::StreamExt;
use serde_json::Value;
use testbed::{Client, System};

/// How long a page may take to do what it is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What went wrong in the browser, in words.
type Wrong = Arc<Mutex<Vec<String>>>;

/// Runs `visit` with a blank page of a new browser and the API's base URL, and
/// fails if anything at all went wrong in the browser meanwhile.
async fn browse(visit: impl AsyncFnOnce(&Page, &str)) {
    let system = match std::env::var("KEA_TEST_API_URL") {
        Ok(_) => None,
        Err(_) => Some(System::with_samples().await),
    };
    let url = match &system {
        Some(system) => system.gateway.url(),
        None => std::env::var("KEA_TEST_API_URL").unwrap(),
    };

    let profile = tempfile::tempdir().unwrap();
    let config = BrowserConfig::builder()
        .new_headless_mode()
        .no_sandbox()
        .args(["--disable-gpu", "--disable-dev-shm-usage"])
        .user_data_dir(profile.path())
        .window_size(1280, 1000)
        .build()
        .expect("chromium is here: `cargo xtask test` installs it");
    let (mut browser, mut handler) = Browser::launch(config).await.expect("chromium starts");
    let handling = tokio::spawn(async move { while handler.next().await.is_some() {} });
    let page = browser.new_page("about:blank").await.unwrap();
    let wrong = watch(&page, &url).await;

    visit(&page, &url).await;

    // What was asked for last may still fail.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let wrong = wrong.lock().unwrap().clone();
    browser.close().await.unwrap();
    let _ = browser.wait().await;
    handling.abort();
    drop(system);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Notes from here on each error in the console, each exception, each request
/// that fails and each one to another host.
async fn watch(page: &Page, url: &str) -> Wrong {
    let wrong = Wrong::default();
    macro_rules! note {
        ($event:ty, $words:expr) => {{
            let wrong = wrong.clone();
            let mut events = page.event_listener::<$event>().await.unwrap();
            let words = $words;
            tokio::spawn(async move {
                while let Some(event) = events.next().await {
                    let words: Option<String> = words(&event);
                    wrong.lock().unwrap().extend(words);
                }
            });
        }};
    }
    note!(log::EventEntryAdded, |event: &log::EventEntryAdded| {
        let entry = &event.entry;
        (entry.level == log::LogEntryLevel::Error)
            .then(|| format!("log: {} {:?}", entry.text, entry.url))
    });
    note!(EventConsoleApiCalled, |event: &EventConsoleApiCalled| {
        (event.r#type == ConsoleApiCalledType::Error).then(|| format!("console: {:?}", event.args))
    });
    note!(EventExceptionThrown, |event: &EventExceptionThrown| {
        Some(format!("exception: {:?}", event.exception_details))
    });
    note!(EventLoadingFailed, |event: &EventLoadingFailed| {
        Some(format!(
            "request: {} {:?}",
            event.error_text, event.blocked_reason
        ))
    });
    note!(EventResponseReceived, |event: &EventResponseReceived| {
        let response = &event.response;
        (response.status >= 400).then(|| format!("answer: {} of {}", response.status, response.url))
    });
    let ours = [
        format!("{url}/"),
        "data:".to_owned(),
        format!("blob:{url}/"),
    ];
    note!(
        EventRequestWillBeSent,
        move |event: &EventRequestWillBeSent| {
            let asked = &event.request.url;
            (!ours.iter().any(|ours| asked.starts_with(ours)))
                .then(|| format!("another host: {asked}"))
        }
    );
    page.execute(log::EnableParams::default()).await.unwrap();
    page.execute(runtime::EnableParams::default())
        .await
        .unwrap();
    page.execute(network::EnableParams::default())
        .await
        .unwrap();
    wrong
}

/// Waits until the expression is neither false, empty nor null, and gives it.
async fn wait_for(page: &Page, expression: &str) -> Value {
    let started = tokio::time::Instant::now();
    loop {
        let found = page
            .evaluate(expression)
            .await
            .ok()
            .and_then(|found| found.value().cloned());
        match found {
            None | Some(Value::Null | Value::Bool(false)) => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(found) => return found,
        }
        assert!(started.elapsed() < PATIENCE, "in vain: {expression}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Clicks what the selector finds, once it is there.
async fn click(page: &Page, selector: &str) {
    let found = format!(
        "(() => {{ const found = document.querySelector('{selector}'); found?.click(); return !!found }})()"
    );
    wait_for(page, &found).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swagger_ui_creates_a_product() {
    browse(async |page, url| try_out(page, url).await).await;
}

/// Creates a product in Swagger UI.
async fn try_out(page: &Page, api: &str) {
    page.goto(format!("{api}/docs")).await.unwrap();
    let block = "#operations-nosqldata-createProduct";
    click(page, &format!("{block} .opblock-summary-control")).await;
    click(page, &format!("{block} .try-out__btn")).await;
    click(page, &format!("{block} .execute")).await;
    let status = format!(
        "document.querySelector('{block} .live-responses-table tbody .response-col_status')?.textContent"
    );
    let status = wait_for(page, &status).await;
    assert!(status.as_str().unwrap().starts_with("201"), "{status}");
    let location = page.url().await.unwrap().unwrap();
    assert!(
        location.ends_with("#/nosqldata/createProduct"),
        "no deep link: {location}"
    );
}

/// A stage precedes every path, so that no link may leave it out.
#[tokio::test(flavor = "multi_thread")]
async fn documentation_works_under_a_stage() {
    if std::env::var("KEA_TEST_API_URL").is_ok() {
        // Locally only the testbed has a named stage.
        return;
    }
    browse(async |page, url| {
        let api = format!("{url}/prod");
        try_out(page, &api).await;
        let sent = "document.querySelector('.request-url pre')?.textContent";
        let sent = wait_for(page, sent).await;
        assert_eq!(sent, format!("{api}/nosqldata"));

        page.goto(format!("{api}/redoc")).await.unwrap();
        let shown = format!("document.body.textContent.includes('{api}/nosqldata')");
        wait_for(page, &shown).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_link_opens_its_operation() {
    browse(async |page, url| {
        page.goto(format!("{url}/docs#/mysqldata/placeOrder"))
            .await
            .unwrap();
        wait_for(
            page,
            "document.querySelector('#operations-mysqldata-placeOrder.is-open') !== null",
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redoc_shows_every_operation() {
    browse(async |page, url| {
        let document = Client::new(url.to_owned())
            .get("/openapi.json")
            .await
            .expect(200)
            .json();
        page.goto(format!("{url}/redoc")).await.unwrap();
        let mut count = 0;
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                wait_for(
                    page,
                    &format!("document.querySelector('[id$=\"/operation/{id}\"]') !== null"),
                )
                .await;
                count += 1;
            }
        }
        assert!(count >= 20, "{count} operations");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_pages_are_sound_too() {
    browse(async |page, url| {
        for (path, text) in [
            ("/", "Hello KEA!"),
            ("/problems", "Problems"),
            ("/problems/not-found", "404"),
        ] {
            page.goto(format!("{url}{path}")).await.unwrap();
            let shown = wait_for(page, "document.querySelector('h1')?.textContent").await;
            assert!(shown.as_str().unwrap().contains(text), "{path}: {shown}");
        }
    })
    .await;
}

/// The figures of the page, each with what of it can be seen.
const FIGURES: &str = "[...document.querySelectorAll('figure img')].map((image) => ({
    name: image.currentSrc.split('/').pop().replace(/-[0-9a-f]+[.]svg$/, ''),
    natural: image.complete ? image.naturalWidth * image.naturalHeight : 0,
    shown: image.checkVisibility() ? image.getBoundingClientRect().width : 0,
    view: image.closest('.view')?.clientWidth ?? 0,
}))";

#[tokio::test(flavor = "multi_thread")]
async fn every_diagram_can_be_seen_by_day_by_night_and_on_a_phone() {
    let folder = diagrams::render::folder(&stores::project());
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "svg"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 7, "{names:?}");
    browse(async |page, url| {
        for (width, height, scheme) in [
            (1280, 1000, "light"),
            (1280, 1000, "dark"),
            (390, 844, "light"),
            (390, 844, "dark"),
        ] {
            let size = SetDeviceMetricsOverrideParams::new(width, height, 2.0, width < 500);
            page.execute(size).await.unwrap();
            let scheme = MediaFeature::new("prefers-color-scheme", scheme);
            let media = SetEmulatedMediaParams::builder().feature(scheme).build();
            page.execute(media).await.unwrap();
            page.goto(format!("{url}/architecture")).await.unwrap();
            let all_there =
                format!("{FIGURES}.every((it) => it.natural > 0 && it.shown > 0 && it.view > 0)");
            wait_for(page, &all_there).await;
            let figures = wait_for(page, FIGURES).await;
            let figures = figures.as_array().unwrap();
            let mut shown: Vec<_> = figures
                .iter()
                .map(|it| it["name"].as_str().unwrap())
                .collect();
            shown.sort_unstable();
            assert_eq!(shown, names, "left: on the page, right: in docs/diagrams");
            for figure in figures {
                assert!(
                    figure["view"].as_i64().unwrap() <= width,
                    "{figure} at {width}"
                );
            }
            // What is too wide moves within its frame, and the page does not.
            let wider = "document.documentElement.scrollWidth > window.innerWidth";
            assert_eq!(
                page.evaluate(wider).await.unwrap().value(),
                Some(&Value::Bool(false))
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diagram_is_made_larger_by_button_and_by_key() {
    browse(async |page, url| {
        page.goto(format!("{url}/architecture")).await.unwrap();
        let width = "document.querySelector('#component img')?.getBoundingClientRect().width";
        let before = wait_for(page, width).await.as_f64().unwrap();
        click(page, "#component .zoom button:last-child").await;
        wait_for(page, &format!("{width} > {before} * 1.2")).await;
        let key = "document.querySelector('#component .view')\
                   .dispatchEvent(new KeyboardEvent('keydown', { key: '0' }))";
        page.evaluate(key).await.unwrap();
        let fits = "(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)\
                    (document.querySelector('#component .view'))";
        wait_for(page, fits).await;
    })
    .await;
}
