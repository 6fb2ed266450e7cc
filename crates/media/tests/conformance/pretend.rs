//! As much of S3 as we use, in memory. It checks every signature by itself, and can be told to fail.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::secret::ExposeSecret as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use media::Config;
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::s3_config;

const SECRET: &str = "SKplanted";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers with this status and does nothing.
    Status(u16),
    /// Does what it is asked and answers nothing.
    NoAnswer,
    /// Does what it is asked and answers after a while.
    Late,
    /// Answers 200 with this code in the body and does nothing.
    Code(&'static str),
    /// Breaks off in the middle of the body of its answer.
    CutAnswer,
}

#[derive(Default)]
pub(crate) struct State {
    objects: HashMap<String, Vec<u8>>,
    uploads: HashMap<String, BTreeMap<u16, Vec<u8>>>,
    made: usize,
    /// What kinds of request fail next, by a piece of their first line.
    faults: VecDeque<(&'static str, Fault)>,
    /// First lines, without signatures.
    pub(crate) seen: Vec<String>,
}

impl State {
    pub(crate) fn left(&self) -> Vec<String> {
        self.objects.keys().chain(self.uploads.keys()).cloned().collect()
    }

    pub(crate) fn fail(&mut self, kind: &'static str, fault: Fault) {
        self.faults.push_back((kind, fault));
    }

    fn fault(&mut self, line: &str) -> Option<Fault> {
        let at = self.faults.iter().position(|(kind, _)| line.contains(kind))?;
        self.faults.remove(at).map(|(_, fault)| fault)
    }
}

pub(crate) struct Pretend {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Pretend {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state }
    }

    pub(crate) fn state(&self) -> Arc<Mutex<State>> {
        Arc::clone(&self.state)
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            access_key_id: Some("AKplanted".into()),
            secret_access_key: Some(SECRET.into()),
            ..s3_config(&self.url)
        }
    }
}

struct Request {
    method: String,
    path: String,
    query: String,
    host: String,
    body: Vec<u8>,
    says_length: bool,
}

impl Request {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// Without what is of the signature.
    fn line(&self) -> String {
        let own: Vec<&str> = self.query.split('&').filter(|pair| !pair.starts_with("X-Amz-")).collect();
        format!("{} {}?{}", self.method, self.path, own.join("&"))
    }

    /// As the documents of signature version 4 describe it for a signed address.
    fn is_signed(&self) -> bool {
        let mut pairs: Vec<&str> =
            self.query.split('&').filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
        pairs.sort_unstable();
        let canonical = format!(
            "{}\n{}\n{}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD",
            self.method,
            self.path,
            pairs.join("&"),
            self.host
        );
        let credential = self.parameter("X-Amz-Credential").unwrap_or_default().replace("%2F", "/");
        let time = self.parameter("X-Amz-Date").unwrap_or_default();
        let Some((_, scope)) = credential.split_once('/') else { return false };
        let digest = hex::encode(Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
        let key = scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, part| mac(&key, part));
        self.parameter("X-Amz-Signature") == Some(&hex::encode(mac(&key, &to_sign)))
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let line = request.line();
        let fault = {
            let mut state = state.lock().unwrap();
            state.seen.push(line.clone());
            state.fault(&line)
        };
        let (status, tag, body) = match fault {
            Some(Fault::Status(status)) => (status, String::new(), Vec::new()),
            Some(Fault::Code(code)) => (200, String::new(), error(code)),
            _ if request.method.starts_with('P') && !request.says_length => {
                (411, String::new(), error("MissingContentLength"))
            }
            _ if !request.is_signed() => (403, String::new(), error("SignatureDoesNotMatch")),
            _ => answer(&request, &mut state.lock().unwrap()),
        };
        if fault == Some(Fault::NoAnswer) {
            return;
        }
        if fault == Some(Fault::Late) {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{tag}\r\n", body.len());
        let cut = if fault == Some(Fault::CutAnswer) { body.len() / 2 } else { body.len() };
        let sent = stream.write_all(&[head.as_bytes(), &body[..cut]].concat()).await;
        if sent.is_err() || cut < body.len() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        lines.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let length = header("content-length");
    let says_length = length.is_some();
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    let mut words = lines[0].split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        host: header("host")?,
        body,
        says_length,
    })
}

fn error(code: &str) -> Vec<u8> {
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>").into_bytes()
}

fn answer(request: &Request, state: &mut State) -> (u16, String, Vec<u8>) {
    let key = request.path.clone();
    let upload = request.parameter("uploadId").map(str::to_owned);
    let missing = || (404, String::new(), error("NoSuchUpload"));
    match (request.method.as_str(), upload, request.parameter("partNumber")) {
        ("POST", None, None) => {
            state.made += 1;
            let id = format!("upload-{}", state.made);
            state.uploads.insert(id.clone(), BTreeMap::new());
            (200, String::new(), xml("InitiateMultipartUploadResult", "UploadId", &id))
        }
        ("PUT", Some(id), Some(number)) => {
            let Some(parts) = state.uploads.get_mut(&id) else { return missing() };
            parts.insert(number.parse().unwrap(), request.body.clone());
            (200, format!("etag: \"{number}\"\r\n"), Vec::new())
        }
        ("POST", Some(id), None) => {
            let Some(parts) = state.uploads.remove(&id) else { return missing() };
            let told = String::from_utf8_lossy(&request.body).matches("<PartNumber>").count();
            let small = parts.values().rev().skip(1).any(|part| part.len() < 5 * 1024 * 1024);
            if told != parts.len() || small {
                return (400, String::new(), error("InvalidPart"));
            }
            state.objects.insert(key, parts.into_values().flatten().collect());
            (200, String::new(), xml("CompleteMultipartUploadResult", "ETag", "whole"))
        }
        ("DELETE", Some(id), None) => {
            state.uploads.remove(&id).map_or_else(missing, |_| (204, String::new(), Vec::new()))
        }
        ("PUT", None, None) => {
            state.objects.insert(key, request.body.clone());
            (200, "etag: \"whole\"\r\n".to_owned(), Vec::new())
        }
        ("DELETE", None, None) => {
            state.objects.remove(&key);
            (204, String::new(), Vec::new())
        }
        ("GET", None, None) => match state.objects.get(&key) {
            Some(content) => (200, String::new(), content.clone()),
            None => (404, String::new(), error("NoSuchKey")),
        },
        _ => (400, String::new(), error("NotImplemented")),
    }
}

fn xml(root: &str, member: &str, value: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\"?><{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><{member}>{value}</{member}></{root}>"
    )
    .into_bytes()
}

/// On a real server, for a test.
pub(crate) async fn make_bucket(config: &Config) {
    let exposed =
        |secret: &Option<domain::secret::SecretString>| secret.as_ref().unwrap().expose_secret().to_owned();
    let credentials = Credentials::new(exposed(&config.access_key_id), exposed(&config.secret_access_key));
    let (endpoint, name) = (config.endpoint.clone().unwrap(), config.bucket.clone().unwrap());
    let bucket = Bucket::new(endpoint, UrlStyle::Path, name, config.region.clone()).unwrap();
    let address = bucket.create_bucket(&credentials).sign(Duration::from_mins(1));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    client.put(address).header("content-length", 0).send().await.unwrap().error_for_status().unwrap();
}
