//! A shop owner without a browser: follows the link, takes the cookie, comes back from the provider's window.

use reqwest::Method;
use reqwest::header::{ACCEPT, COOKIE, SET_COOKIE};
use serde_json::{Value, json};

use super::api::{Answer, Api};

const PAGE: &str = "/onboarding/whatsapp/official";

/// Where owners are invited: a gateway, and the sandbox behind it.
pub(crate) trait Place {
    fn gateway(&self) -> Api;
    fn sandbox(&self) -> Api;
}

pub(crate) struct Owner {
    pub(crate) session_id: String,
    /// The address with the secret in it.
    pub(crate) link: String,
    pub(crate) cookie: String,
    /// Everything the pages answered.
    pub(crate) read: Vec<String>,
    plain: Api,
    sandbox: Api,
}

impl Owner {
    /// Opens a new session's link for a business.
    pub(crate) async fn invited(place: &impl Place, business: &str) -> Self {
        let asked = json!({ "business_id": business, "transport": "official", "locale": "en" });
        let gateway = place.gateway();
        let made = gateway.post("/v1/onboarding-sessions", &asked).await.expect(201);
        let link = made["url"].as_str().expect("a link").to_owned();
        let plain = gateway.with_key("");
        let opened = plain.send(plain.request(Method::GET, path(&link))).await.expect("an answer");
        assert_eq!(opened.status, 303, "{}", opened.text);
        let cookie = opened
            .headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok()?.split(';').next())
            .find(|cookie| cookie.starts_with("onboarding=") || cookie.starts_with("__Host-onboarding="))
            .expect("a cookie")
            .to_owned();
        let session_id = made["id"].as_str().expect("an id").to_owned();
        Self { session_id, link, cookie, read: vec![opened.text], plain, sandbox: place.sandbox() }
    }

    pub(crate) async fn ask(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let answer = self.plain.send(request.header(COOKIE, &self.cookie)).await.expect("an answer");
        self.read.push(format!("{:?}\n{}", answer.headers, answer.text));
        answer
    }

    /// Presses the button: the state of a new attempt.
    pub(crate) async fn begins(&mut self) -> String {
        let request = self.plain.request(Method::GET, PAGE);
        let page = self.ask(request).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let form = page.text.split("name=\"form\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let form = form.unwrap_or_else(|| panic!("no form in {}", page.text)).to_owned();
        let request = self
            .plain
            .request(Method::POST, &format!("{PAGE}/start"))
            .header(ACCEPT, "application/json")
            .form(&[("form", form)]);
        self.ask(request).await.expect(200)["state"].as_str().expect("a state").to_owned()
    }

    /// Goes through the provider's window: a code, and the ids that the window would post.
    pub(crate) async fn allows(&self, wish: &Value) -> (String, Value) {
        let granted = self.sandbox.post("/control/signup", wish).await.expect(200);
        (granted["code"].as_str().expect("a code").to_owned(), granted["message"].clone())
    }

    /// The page tells what the window said.
    pub(crate) async fn returns(&mut self, report: &Value) -> Answer {
        let request = self.plain.request(Method::POST, &format!("{PAGE}/callback")).json(report);
        self.ask(request).await
    }

    /// The whole way, once.
    pub(crate) async fn connects(&mut self) -> Answer {
        self.connects_with(&json!({})).await
    }

    /// With what was chosen in the window, which the window tells.
    pub(crate) async fn connects_with(&mut self, wish: &Value) -> Answer {
        let state = self.begins().await;
        let (code, message) = self.allows(wish).await;
        let (waba, number) = (&message["data"]["waba_id"], &message["data"]["phone_number_id"]);
        self.returns(&json!({ "state": state, "code": code, "waba_id": waba, "phone_number_id": number }))
            .await
    }
}

pub(crate) fn path(link: &str) -> &str {
    &link[link.find("/onboarding").expect("an onboarding address")..]
}
