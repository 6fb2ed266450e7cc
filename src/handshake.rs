//! Asks the owner of an address whether it wants events in Meta's format, as Meta asks before it sends any.

use domain::secret::{ExposeSecret as _, SecretString};
use reqwest::Response;
use url::Url;

use crate::deliver::word_for;
use crate::url_guard::UrlGuard;

/// How much of an answer is read: enough to see that it is not the challenge alone.
const LONGEST_ANSWER: usize = 64;
const REMEDY: &str = "answer hub.verify_token with 200 and hub.challenge alone, as for Meta";

/// Asks as deliveries are posted: guarded, in the same time, and led nowhere else.
#[derive(Clone)]
pub struct Handshake {
    client: reqwest::Client,
    guard: UrlGuard,
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handshake")
    }
}

/// Why an address does not count as confirmed. What it answered is not told: it may be somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unconfirmed {
    #[error("gave no answer to the handshake ({0}); {REMEDY}")]
    NoAnswer(&'static str),
    #[error("answered the handshake with {0}; {REMEDY}")]
    Status(u16),
    #[error("answered the handshake with 200 and something else than the challenge; {REMEDY}")]
    OtherBody,
    #[error("could not be asked now; try again")]
    NoChallenge,
}

impl Handshake {
    pub(crate) const fn new(client: reqwest::Client, guard: UrlGuard) -> Self {
        Self { client, guard }
    }

    pub async fn ask(&self, url: &Url, token: &SecretString) -> Result<(), Unconfirmed> {
        self.guard.check(url).map_err(|_| Unconfirmed::NoAnswer("address_refused"))?;
        let challenge = challenge().ok_or(Unconfirmed::NoChallenge)?;
        let asked = self.client.get(question(url, &challenge, token)).send().await;
        let answer = asked.map_err(|error| Unconfirmed::NoAnswer(word_for(&error)))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(Unconfirmed::Status(status));
        }
        let body = beginning(answer).await?;
        if is_challenge(&body, &challenge) { Ok(()) } else { Err(Unconfirmed::OtherBody) }
    }
}

/// Digits alone, as Meta's are: some receivers read a number of 32 bits.
fn challenge() -> Option<String> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).ok()?;
    Some((u32::from_be_bytes(bytes) >> 1).to_string())
}

/// What the address asks for already stays in front.
fn question(url: &Url, challenge: &str, token: &SecretString) -> Url {
    let mut question = url.clone();
    question
        .query_pairs_mut()
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.challenge", challenge)
        .append_pair("hub.verify_token", token.expose_secret());
    question
}

async fn beginning(mut answer: Response) -> Result<Vec<u8>, Unconfirmed> {
    let mut body = Vec::new();
    while body.len() < LONGEST_ANSWER {
        match answer.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Err(Unconfirmed::NoAnswer(word_for(&error))),
        }
    }
    Ok(body)
}

/// Exactly, but for the line's end that some servers put behind everything they say.
fn is_challenge(body: &[u8], challenge: &str) -> bool {
    body.strip_suffix(b"\n").unwrap_or(body) == challenge.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_stands_behind_what_the_address_asks_for_already() {
        let asked =
            |url: &str| question(&url.parse().unwrap(), "77", &SecretString::from("a&b é")).to_string();
        let expected = "hub.mode=subscribe&hub.challenge=77&hub.verify_token=a%26b+%C3%A9";
        assert_eq!(asked("https://hooks.example/wa"), format!("https://hooks.example/wa?{expected}"));
        assert_eq!(
            asked("https://hooks.example/wa?tenant=7%2F8&x"),
            format!("https://hooks.example/wa?tenant=7%2F8&x&{expected}")
        );
    }

    #[test]
    fn a_challenge_is_a_number_of_31_bits() {
        let challenges: Vec<_> = (0..20).map(|_| challenge().unwrap()).collect();
        assert!(challenges.iter().all(|text| text.parse::<i32>().is_ok_and(|number| number >= 0)));
        assert!(challenges.iter().any(|text| *text != challenges[0]), "{challenges:?}");
    }

    #[test]
    fn nothing_but_the_challenge_answers_it() {
        for answer in ["1158201444", "1158201444\n"] {
            assert!(is_challenge(answer.as_bytes(), "1158201444"), "{answer:?}");
        }
        for answer in
            ["", "\n", "\"1158201444\"", "1158201444\n\n", " 1158201444", "11582014440", "1158201444\r\n"]
        {
            assert!(!is_challenge(answer.as_bytes(), "1158201444"), "{answer:?}");
        }
    }
}
