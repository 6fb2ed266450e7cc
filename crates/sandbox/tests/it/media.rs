//! Media: uploaded, looked up, downloaded and deleted by businesses, and sent by customers.

use crate::support::{CUSTOMER, Stage, client, error_code, read, until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use sandbox::Config;
use serde_json::json;

const PICTURE: &[u8] = b"\xff\xd8\xff\xe0 a picture \r\n--x";

impl Stage {
    async fn upload(&self, mime_type: &str, named: Option<&str>, content: &[u8]) -> (u16, serde_json::Value) {
        let mut body = Vec::new();
        let mut texts = vec![("messaging_product", "whatsapp")];
        texts.extend(named.map(|named| ("type", named)));
        for (name, text) in texts {
            body.extend_from_slice(
                format!("--b0und\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
                    .as_bytes(),
            );
        }
        let head = format!(
            "--b0und\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: {mime_type}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n--b0und--\r\n");
        let path = format!("{}/media", self.business.phone_number_id);
        let request = self.graph_call(Method::POST, &path);
        read(request.header("content-type", "multipart/form-data; boundary=b0und").body(body)).await
    }

    async fn download(&self, url: &str, token: Option<&str>) -> (u16, Vec<u8>) {
        let mut request = client().get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }
}

#[tokio::test]
async fn what_is_uploaded_is_looked_up_downloaded_and_deleted() {
    let stage = Stage::new().await;
    let (status, body) = stage.upload("image/jpeg", None, PICTURE).await;
    assert_eq!(status, 200, "{body}");
    let id = body["id"].as_str().unwrap();
    let (_, found) = stage.get(&format!("{id}?phone_number_id={}", stage.business.phone_number_id)).await;
    assert_eq!(
        (found["mime_type"].as_str(), found["file_size"].as_u64()),
        (Some("image/jpeg"), Some(PICTURE.len() as u64))
    );
    assert_eq!(found["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(stage.get(&format!("{id}?phone_number_id=1")).await.0, 400, "it is not that number's");

    let (url, token) = (found["url"].as_str().unwrap(), stage.business.access_token.expose());
    assert_eq!(stage.download(url, Some(token)).await, (200, PICTURE.to_vec()));
    let stranger = stage.sandbox.seed_connected(1).await.unwrap();
    for token in [None, Some("EAAnobody"), Some(stranger.access_token.expose())] {
        assert_eq!(stage.download(url, token).await.0, 404);
    }
    stage.advance(301).await;
    assert_eq!(stage.download(url, Some(token)).await.0, 404, "an address lives five minutes");

    assert_eq!(stage.graph(Method::DELETE, id, json!({})).await.0, 200);
    assert_eq!(stage.get(id).await.0, 400);
}

#[tokio::test]
async fn an_upload_of_a_wrong_type_or_size_is_refused() {
    let stage = Stage::new().await;
    let (status, body) = stage.upload("image/jpeg", Some("image/png"), PICTURE).await;
    assert_eq!((status, error_code(&body)), (400, 131_053), "{body}");
    assert_eq!(error_code(&stage.upload("image/gif", None, PICTURE).await.1), 100);
    assert_eq!(error_code(&stage.upload("image/png", None, &vec![0; (5 << 20) + 1]).await.1), 131_053);
    assert_eq!(stage.upload("application/pdf", Some("application/pdf"), &vec![0; 6 << 20]).await.0, 200);
}

#[tokio::test]
async fn what_a_customer_sends_is_told_with_its_id_and_lives_seven_days_and_through_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data_dir: Some(folder.path().to_owned()), ..Config::for_tests() };
    let (stage, gateway) = Stage::with_gateway(config.clone()).await;
    let image =
        json!({"content_base64": STANDARD.encode(PICTURE), "mime_type": "image/jpeg", "caption": "Kitenge"});
    let message = json!({"phone_number_id": stage.business.phone_number_id, "from": CUSTOMER,
        "message": {"type": "image", "image": image}});
    let (status, body) = stage.control(Method::POST, "inbound", message).await;
    assert_eq!(status, 200, "{body}");
    until("the webhook", || !gateway.values("messages").is_empty()).await;
    let told = gateway.values("messages")[0]["messages"][0].clone();
    assert_eq!(told["image"]["caption"], "Kitenge");
    assert_eq!(told["image"]["sha256"].as_str().unwrap().len(), 44);
    assert!(told["image"]["content_base64"].is_null(), "{told}");
    let id = told["image"]["id"].as_str().unwrap().to_owned();
    let Stage { sandbox, .. } = stage;
    sandbox.stop().await;

    let stage = Stage::with(config).await;
    let (_, found) = stage.get(&id).await;
    let token = stage.business.access_token.expose();
    assert_eq!(stage.download(found["url"].as_str().unwrap(), Some(token)).await, (200, PICTURE.to_vec()));
    stage.advance(7 * 86_400).await;
    assert_eq!(stage.get(&id).await.0, 400);
}
