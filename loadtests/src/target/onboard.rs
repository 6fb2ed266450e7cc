//! Connects a number as its owner would, without a browser: link, page, login dialog, the way back.

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};
use url::Url;

use super::Number;
use super::page::{Asked, Form};
use crate::api::{self, Api};
use crate::loopback;

const MOST_REDIRECTS: usize = 10;
/// The action of the form with the button.
const START: &str = "/official/start";
const PATIENCE: Duration = Duration::from_secs(30);

/// A new business with a new number.
pub async fn connect(gateway: &Api, index: usize) -> Result<Number> {
    let business = format!("load-{}-{index}", crate::wall_clock().as_millis());
    let asked = json!({"business_id": business, "transport": "official"});
    let session = gateway.post("v1/onboarding-sessions", &asked).await?;
    let link = session["url"].as_str().context("an onboarding session without a url")?;
    let mut browser = Browser::new()?;
    let dialog = browser.open_dialog(Url::parse(link)?).await?;
    browser.allow(dialog).await?;

    let connection = connected(gateway, &business).await?;
    let text = |name: &str| {
        let member = connection[name].as_str().or_else(|| connection["official"][name].as_str());
        member.map(str::to_owned).with_context(|| format!("a connection without {name}: {connection}"))
    };
    Ok(Number {
        connection_id: text("id")?,
        phone_number_id: text("phone_number_id")?,
        waba_id: text("waba_id")?,
    })
}

async fn connected(gateway: &Api, business: &str) -> Result<Value> {
    let start = Instant::now();
    loop {
        let list = gateway.get(&format!("v1/connections?business_id={business}")).await?;
        if let Some(connection) = list["data"].as_array().and_then(|list| list.first())
            && connection["status"] == "connected"
        {
            return Ok(connection.clone());
        }
        ensure!(start.elapsed() < PATIENCE, "the number is not connected: {list}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// What of a browser this journey needs: cookies of one site, and redirects that stay on this machine.
#[derive(Debug)]
struct Browser {
    client: Client,
    cookies: Vec<(String, String)>,
}

impl Browser {
    fn new() -> Result<Self> {
        Ok(Self { client: api::client()?, cookies: Vec::new() })
    }

    async fn send(&mut self, url: &Url, request: RequestBuilder) -> Result<Response> {
        loopback::address(url)?;
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header(COOKIE, cookies.join("; ")) };
        let answer = request.send().await.with_context(|| format!("opening {}", url.path()))?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let Some((name, value)) =
                cookie.to_str().ok().and_then(|text| text.split(';').next()?.split_once('='))
            else {
                continue;
            };
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        Ok(answer)
    }

    async fn open(&mut self, mut url: Url) -> Result<(Url, String)> {
        for _ in 0..MOST_REDIRECTS {
            let request = self.client.get(url.clone());
            let answer = self.send(&url, request).await?;
            if let Some(next) = location(&answer, &url)? {
                url = next;
                continue;
            }
            let status = answer.status();
            ensure!(status.is_success(), "{} was answered with {status}", url.path());
            return Ok((url, answer.text().await?));
        }
        bail!("redirects without end")
    }

    /// Opens the link and presses the button that leads to the dialog.
    async fn open_dialog(&mut self, link: Url) -> Result<Asked> {
        let (page, text) = self.open(link).await?;
        let form = Form::all(&text).into_iter().find(|form| form.action.ends_with(START));
        let form = form.with_context(|| format!("no form {START} on {}", page.path()))?;
        let start = page.join(&form.action)?;
        let request = self.client.post(start.clone()).header(ORIGIN, page.origin().ascii_serialization());
        let answer = self.send(&start, request.form(&form.fields)).await?;
        let status = answer.status();
        let dialog = location(&answer, &start)?;
        dialog.as_ref().and_then(Asked::of).with_context(|| format!("{START} ({status}) leads to no dialog"))
    }

    /// Presses "Allow" for a new business with a new number, and goes back to the gateway.
    async fn allow(&mut self, asked: Asked) -> Result<()> {
        let Asked { dialog, mut members } = asked;
        let choices = [("step", "allow"), ("action", "allow"), ("business", "new"), ("number", "new")];
        members.extend(choices.map(|(name, value)| (name.to_owned(), value.to_owned())));
        loopback::address(&dialog)?;
        // Without our cookies: the dialog is another site.
        let answer = self.client.post(dialog.clone()).form(&members).send().await?;
        let back = location(&answer, &dialog)?.context("the dialog does not lead back")?;
        self.open(back).await.map(drop)
    }
}

fn location(answer: &Response, base: &Url) -> Result<Option<Url>> {
    if !answer.status().is_redirection() {
        return Ok(None);
    }
    let location = answer.headers().get(LOCATION).context("a redirect to nowhere")?;
    Ok(Some(base.join(location.to_str()?)?))
}
