//! The account of a demo's number, as the pretend platform keeps it.

use std::time::Duration;

use serde_json::{Value, json};

use super::demo::Demo;
use super::eventually;

impl Demo {
    pub(crate) async fn waba_id(&self) -> String {
        let state = self.sandbox().get("/control/state").await.expect(200);
        let businesses = state["businesses"].as_array().expect("a list");
        let mut wabas = businesses.iter().flat_map(|business| business["wabas"].as_array().expect("a list"));
        let is_ours = |waba: &&Value| {
            let numbers = waba["numbers"].as_array().expect("a list");
            numbers.iter().any(|number| number["id"] == self.ready.phone_number_id.as_str())
        };
        wabas.find(is_ours).expect("our account")["id"].as_str().expect("an id").to_owned()
    }

    /// The account has this one template, and the gateway knows it.
    pub(crate) async fn has_template(&self, name: &str, category: &str, status: &str) {
        let body = json!([{ "type": "BODY", "text": "Habari {{1}}, {{2}}." }]);
        let template = json!({ "name": name, "language": "en", "status": status, "category": category, "components": body });
        let path = format!("/control/templates/{}", self.waba_id().await);
        self.sandbox().put(&path, &json!({ "templates": [template] })).await.expect(200);
        let path = format!("/v1/connections/{}/templates/{name}", self.ready.connection_id);
        eventually(&format!("the template is {status}"), Duration::from_secs(40), || async {
            let answer = self.api().get(&path).await;
            let is_known = answer.status == 200
                && answer.json()["data"][0]["status"] == status
                && answer.json()["data"][0]["parameters"] != json!([]);
            if is_known { Ok(()) } else { Err(answer.text) }
        })
        .await;
    }
}

pub(crate) fn template(business: &str, to: &str, name: &str, parameters: &[&str]) -> Value {
    let parameters: Vec<_> = parameters.iter().map(|text| json!({ "type": "text", "text": text })).collect();
    json!({ "business_id": business, "message": { "to": to, "type": "template", "template": {
        "name": name, "language": { "code": "en" },
        "components": [{ "type": "body", "parameters": parameters }],
    } } })
}
