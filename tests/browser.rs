//! The documentation in a real browser, Chromium.
//!
//! The API runs in this process, or at `KEA_TEST_API_URL`: `cargo xtask browser`
//! sets it to an API behind `cargo lambda watch`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends by panicking"
)]

use std::{future::ready, time::Duration};

use chromiumoxide::{
    Browser, BrowserConfig, Page,
    cdp::{
        IntoEventKind,
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
use futures_util::{
    FutureExt, StreamExt,
    stream::{BoxStream, select_all},
};
use serde_json::Value;
// region: nosqldata
use testbed::callers;
// endregion
use testbed::{Client, System, eventually};

/// The limit of the time until Chromium has started or answered. Its first start reads
/// hundreds of megabytes, and other tests run beside it.
const TIMEOUT: Duration = Duration::from_mins(2);

/// What the console logs at the end of a visit.
const END_OF_VISIT: &str = "end of the visit";

/// An event of the browser.
#[derive(PartialEq, Eq)]
enum Observed {
    /// An error, as text.
    Error(String),
    /// The end of the visit.
    End,
}

/// Runs `visit` with a blank page of a new browser and the API's base URL, and
/// fails if there was any error in the browser.
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
        .launch_timeout(TIMEOUT)
        .request_timeout(TIMEOUT)
        .window_size(1280, 1000)
        .build()
        .expect("`cargo xtask test` installs Chromium");
    let (mut browser, mut handler) = Browser::launch(config).await.expect("Chromium starts");
    let handling = tokio::spawn(async move { while handler.next().await.is_some() {} });
    let page = browser.new_page("about:blank").await.unwrap();
    let mut events = observe(&page, &url).await;

    visit(&page, &url).await;

    wait_for(
        &page,
        "document.readyState === 'complete' && document.fonts.status === 'loaded'",
    )
    .await;
    let end = format!("console.debug('{END_OF_VISIT}')");
    page.evaluate(end).await.unwrap();
    let errors = tokio::time::timeout(TIMEOUT, errors(&mut events))
        .await
        .expect("the browser reports the end of the visit");
    browser.close().await.unwrap();
    let _ = browser.wait().await;
    handling.abort();
    drop(system);
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// The errors until the end of the visit, with those that the browser reported
/// before it and that are still to be read.
async fn errors(events: &mut BoxStream<'static, Observed>) -> Vec<String> {
    let mut errors = Vec::new();
    while let Some(Observed::Error(error)) = events.next().await {
        errors.push(error);
    }
    while let Some(Some(Observed::Error(error))) = events.next().now_or_never() {
        errors.push(error);
    }
    errors
}

/// Observes errors in the console, exceptions, requests that fail, and requests to
/// other hosts.
async fn observe(page: &Page, url: &str) -> BoxStream<'static, Observed> {
    let origins = [
        format!("{url}/"),
        "data:".to_owned(),
        format!("blob:{url}/"),
    ];
    let events = select_all([
        listen(page, |event: &log::EventEntryAdded| {
            let entry = &event.entry;
            let url = entry.url.as_deref().unwrap_or_default();
            (entry.level == log::LogEntryLevel::Error)
                .then(|| Observed::Error(format!("log: {} {url}", entry.text)))
        })
        .await,
        listen(page, |event: &EventConsoleApiCalled| {
            let values = event.args.iter().filter_map(|arg| arg.value.as_ref());
            let text = values.map(Value::to_string).collect::<Vec<_>>().join(" ");
            match event.r#type {
                ConsoleApiCalledType::Error => Some(Observed::Error(format!("console: {text}"))),
                ConsoleApiCalledType::Debug if text.contains(END_OF_VISIT) => Some(Observed::End),
                _ => None,
            }
        })
        .await,
        listen(page, |event: &EventExceptionThrown| {
            let exception = &event.exception_details;
            Some(Observed::Error(format!("exception: {}", exception.text)))
        })
        .await,
        listen(page, |event: &EventLoadingFailed| {
            // A page that is left cancels its requests.
            (event.canceled != Some(true))
                .then(|| Observed::Error(format!("request: {}", event.error_text)))
        })
        .await,
        listen(page, |event: &EventResponseReceived| {
            let response = &event.response;
            (response.status >= 400).then(|| {
                Observed::Error(format!("response: {} of {}", response.status, response.url))
            })
        })
        .await,
        listen(page, move |event: &EventRequestWillBeSent| {
            let target = &event.request.url;
            (!origins.iter().any(|origin| target.starts_with(origin)))
                .then(|| Observed::Error(format!("a request to another host: {target}")))
        })
        .await,
    ]);
    page.execute(log::EnableParams::default()).await.unwrap();
    page.execute(runtime::EnableParams::default())
        .await
        .unwrap();
    page.execute(network::EnableParams::default())
        .await
        .unwrap();
    events.boxed()
}

/// The events of one kind that `observed` selects.
async fn listen<E: IntoEventKind + Unpin>(
    page: &Page,
    observed: impl Fn(&E) -> Option<Observed> + Send + 'static,
) -> BoxStream<'static, Observed> {
    let events = page.event_listener::<E>().await.unwrap();
    events
        .filter_map(move |event| ready(observed(&event)))
        .boxed()
}

/// Waits until the expression is neither false, empty nor null; returns its value.
async fn wait_for(page: &Page, expression: &str) -> Value {
    let is_truthy = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    };
    let found = eventually(async || {
        let found = page.evaluate(expression).await.ok()?;
        found.value().cloned().filter(is_truthy)
    });
    found.await
}

/// Clicks the element that the selector finds, when it exists.
async fn click(page: &Page, selector: &str) {
    let found = format!(
        "(() => {{ const found = document.querySelector('{selector}'); found?.click(); return !!found }})()"
    );
    wait_for(page, &found).await;
}

// region: nosqldata
#[tokio::test(flavor = "multi_thread")]
async fn swagger_ui_creates_a_product() {
    browse(async |page, url| try_out(page, url).await).await;
}

/// Creates a product in Swagger UI.
async fn try_out(page: &Page, api: &str) {
    page.goto(format!("{api}/docs")).await.unwrap();
    authorize(page, &callers::bearer("tester", "catalogue:write")).await;
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

/// Gives Swagger UI a token by its button Authorize, which wants it without its
/// scheme.
async fn authorize(page: &Page, bearer: &str) {
    click(page, ".auth-wrapper .authorize").await;
    let input = "#auth-bearer-value";
    wait_for(page, &format!("document.querySelector('{input}') !== null")).await;
    let token = bearer.trim_start_matches("Bearer ");
    page.find_element(input)
        .await
        .unwrap()
        .click()
        .await
        .unwrap()
        .type_str(token)
        .await
        .unwrap();
    click(page, ".auth-btn-wrapper .authorize").await;
    click(page, ".auth-btn-wrapper .btn-done").await;
}

/// Under a named stage every path has a prefix. Of the local surfaces only the testbed has
/// one: `cargo xtask browser` leaves this out.
#[tokio::test(flavor = "multi_thread")]
async fn documentation_works_under_a_stage() {
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
// endregion

#[tokio::test(flavor = "multi_thread")]
async fn deep_link_opens_its_operation() {
    browse(async |page, url| {
        page.goto(format!("{url}/docs#/hello/getGreeting"))
            .await
            .unwrap();
        wait_for(
            page,
            "document.querySelector('#operations-hello-getGreeting.is-open') !== null",
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
        assert!(count >= 10, "{count} operations");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_pages_load_without_errors() {
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

/// The figures of the page, each with its natural and its displayed size.
const FIGURES: &str = "[...document.querySelectorAll('figure img')].map((image) => ({
    name: image.currentSrc.split('/').pop().replace(/-[0-9a-f]+[.]svg$/, ''),
    natural: image.complete ? image.naturalWidth * image.naturalHeight : 0,
    shown: image.checkVisibility() ? image.getBoundingClientRect().width : 0,
    view: image.closest('.view')?.clientWidth ?? 0,
}))";

#[tokio::test(flavor = "multi_thread")]
async fn every_diagram_is_visible_in_light_and_dark_and_on_a_phone() {
    let folder = diagrams::render::folder(&template::project());
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "svg"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 4, "{names:?}");
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
            let all_visible =
                format!("{FIGURES}.every((it) => it.natural > 0 && it.shown > 0 && it.view > 0)");
            wait_for(page, &all_visible).await;
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
            // A wide diagram scrolls within its frame; the page does not.
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
async fn diagram_is_zoomed_with_buttons_and_keys() {
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
