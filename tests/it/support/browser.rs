//! A headless Chromium at the size of a phone, driven as an owner would.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use fantoccini::elements::Element;
use fantoccini::wd::{WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::eventually;

const PATIENCE: Duration = Duration::from_secs(30);
const WIDTH: u64 = 360;
const NARROWEST: u64 = 320;
const HEIGHT: u64 = 740;

/// Chromium and its driver, by the paths that `scripts/test` finds.
pub(crate) struct Programs {
    chromium: String,
    driver: String,
}

impl Programs {
    /// `None`, with a notice, where there is no browser and none is required.
    pub(crate) fn find() -> Option<Self> {
        let path = |name| std::env::var(name).ok().filter(|path| !path.is_empty());
        let found = path("GATEWAY_TEST_CHROMIUM").zip(path("GATEWAY_TEST_CHROMEDRIVER"));
        if found.is_none() {
            let required = std::env::var("GATEWAY_TEST_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
            assert!(
                !required,
                "GATEWAY_TEST_CHROMIUM and GATEWAY_TEST_CHROMEDRIVER must be set: run scripts/test"
            );
            tracing_subscriber::fmt().with_test_writer().try_init().ok();
            tracing::warn!(
                "skipped: no browser is named by GATEWAY_TEST_CHROMIUM and GATEWAY_TEST_CHROMEDRIVER"
            );
        }
        found.map(|(chromium, driver)| Self { chromium, driver })
    }
}

/// One profile of its own: a second one is a second person's browser.
pub(crate) struct Browser {
    client: Client,
    /// The browser's own process: a driver that is killed leaves it behind.
    process: Option<Pid>,
    _driver: Child,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn start(programs: &Programs) -> Self {
        let mut driver = Command::new(&programs.driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the driver starts");
        let mut lines = BufReader::new(driver.stdout.take().expect("stdout is piped")).lines();
        let port = tokio::time::timeout(PATIENCE, async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    return port.trim_end_matches('.').to_owned();
                }
            }
            panic!("the driver ended before it was ready")
        })
        .await
        .expect("the driver gets ready");
        // Its pipe is read to the end, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });

        let profile = TempDir::with_prefix("gateway-browser-").expect("a temporary folder");
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {
                "binary": programs.chromium,
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--disable-dev-shm-usage", "--hide-scrollbars",
                    format!("--window-size={WIDTH},{HEIGHT}"),
                    format!("--user-data-dir={}", profile.path().display()),
                ],
                "mobileEmulation": { "deviceMetrics": { "width": WIDTH, "height": HEIGHT, "pixelRatio": 1.0 } },
            },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("an object is written above") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("the browser starts");
        let told = client.capabilities().and_then(|told| told.get("goog:processID")?.as_i64());
        let process = told.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        assert!(process.is_some(), "the driver names the browser's process");
        Self { client, process, _driver: driver, _profile: profile }
    }

    pub(crate) async fn close(mut self) {
        self.client.clone().close().await.expect("the browser closes");
        self.process = None;
    }

    pub(crate) async fn open(&self, address: &str) {
        self.client.goto(address).await.expect("the page opens");
    }

    pub(crate) async fn address(&self) -> String {
        self.client.current_url().await.expect("an address").to_string()
    }

    /// The first element of this selector that can be seen, waited for.
    pub(crate) async fn sees(&self, selector: &str) -> Element {
        eventually(&format!("{selector} is seen"), PATIENCE, || async {
            for element in self.client.find_all(Locator::Css(selector)).await.map_err(|e| e.to_string())? {
                if element.is_displayed().await.unwrap_or(false) {
                    return Ok(element);
                }
            }
            Err(format!("{}: {}", self.address().await, self.words().await))
        })
        .await
    }

    /// A page that is just being replaced by another takes the tap with it, so it is tapped again there.
    pub(crate) async fn tap(&self, selector: &str) {
        eventually(&format!("{selector} is tapped"), PATIENCE, || async {
            self.sees(selector).await.click().await.map_err(|error| error.to_string())
        })
        .await;
    }

    pub(crate) async fn text(&self, selector: &str) -> String {
        self.sees(selector).await.text().await.expect("it has a text")
    }

    /// Everything that can be read on the page.
    pub(crate) async fn words(&self) -> String {
        self.run("return document.body ? document.body.innerText : ''")
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_default()
    }

    /// Waits for the provider's window and looks at it. Answers the page that opened it.
    pub(crate) async fn to_window(&self) -> WindowHandle {
        let page = self.client.window().await.expect("a window");
        let window = eventually("a window opens", PATIENCE, || async {
            let windows = self.client.windows().await.map_err(|error| error.to_string())?;
            windows.into_iter().find(|window| *window != page).ok_or_else(|| "no window".to_owned())
        })
        .await;
        self.client.switch_to_window(window).await.expect("the window is there");
        page
    }

    pub(crate) async fn back_to(&self, page: WindowHandle) {
        self.client.switch_to_window(page).await.expect("the page is still there");
    }

    pub(crate) async fn close_window(&self) {
        self.client.close_window().await.expect("the window closes");
    }

    /// Nothing can be scrolled sideways, on a narrower phone neither.
    async fn fits(&self) {
        let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        for width in [NARROWEST, WIDTH] {
            self.screen(width).await;
            assert_eq!(self.run(wide).await, 0, "{} is wider than {width}", self.address().await);
        }
    }

    async fn screen(&self, width: u64) {
        let size = json!({ "width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": true });
        self.command("Emulation.setDeviceMetricsOverride", size).await;
    }

    async fn command(&self, name: &'static str, parameters: Value) -> Value {
        self.client.issue_cmd(Devtools { name, parameters }).await.expect("the browser obeys")
    }

    /// The whole page as a picture among the artefacts of the run.
    pub(crate) async fn picture(&self, name: &str) {
        self.fits().await;
        let Ok(folder) = std::env::var("GATEWAY_TEST_ARTIFACTS") else { return };
        let height =
            self.run("return document.documentElement.scrollHeight").await.as_u64().unwrap_or(HEIGHT);
        let clip = json!({ "x": 0, "y": 0, "width": WIDTH, "height": height.max(HEIGHT), "scale": 1 });
        let whole = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let shot = self.command("Page.captureScreenshot", whole).await;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().expect("a picture"))
            .expect("base64");
        let folder = PathBuf::from(folder);
        std::fs::create_dir_all(&folder).expect("the artefacts' folder");
        std::fs::write(folder.join(format!("onboarding-{name}.png")), bytes).expect("the picture is kept");
    }

    /// The same page in both languages; the second one stays.
    pub(crate) async fn pictures(&self, name: &str, langs: [&str; 2]) {
        for lang in langs {
            self.tap(&format!("nav a[lang={lang}]")).await;
            self.sees(&format!("html[lang={lang}] main")).await;
            self.picture(&format!("{name}-{lang}")).await;
        }
    }
}

/// A test that failed does not close its browser.
impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(process) = self.process {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
    }
}

/// What the driver's own commands cannot do: its pictures, for one, end at the edge of the screen.
#[derive(Debug)]
struct Devtools {
    name: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({ "cmd": self.name, "params": self.parameters });
        (http::Method::POST, Some(body.to_string()))
    }
}

/// What the owner chooses in the pretend Facebook window.
#[derive(Clone, Copy)]
pub(crate) struct Choice<'a> {
    pub(crate) business: &'a str,
    pub(crate) number: &'a str,
    pub(crate) scenario: &'a str,
}

impl Choice<'_> {
    pub(crate) const NEW: Self = Self { business: "new", number: "new", scenario: "ids_first" };
}

impl Browser {
    /// Logs in, chooses, allows, in whatever window is looked at.
    pub(crate) async fn grants(&self, choice: Choice<'_>) {
        self.logs_in().await;
        for (field, value) in
            [("#business", choice.business), ("#number", choice.number), ("#scenario", choice.scenario)]
        {
            self.sees(field).await.select_by_value(value).await.expect("it can be chosen");
        }
        self.tap("#continue").await;
        self.tap("#allow").await;
    }

    pub(crate) async fn logs_in(&self) {
        self.sees("#login-email").await.send_keys("asha@example.com").await.expect("a name");
        self.sees("#login-password").await.send_keys("any").await.expect("a password");
        self.tap("#login-submit").await;
    }
}
