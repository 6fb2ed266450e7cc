//! The JavaScript SDK. Meta's weighs nearly two hundred kilobytes, and a page meant for slow phones should be measured
//! with that weight, so ours is filled up with modules that nobody calls.

use crate::chance::Chance;
use actix_web::HttpResponse;
use actix_web::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL};
use actix_web::web::{Bytes, Data};
use std::fmt::Write;

const SDK: &str = include_str!("sdk.js");
const WEIGHT: usize = 180_000;

#[derive(Clone, Debug)]
pub(crate) struct Sdk(Bytes);

impl Sdk {
    pub(crate) fn new() -> Self {
        let mut text = String::with_capacity(WEIGHT + 256);
        text.push_str("/* Sandbox SDK: this is not Facebook */\n");
        text.push_str(SDK);
        text.push_str("(function(){var m={};function __d(n,f){m[n]=f;}\n");
        // Always the same, so that a cached copy stays good. Random words keep it from compressing to nothing.
        let chance = Chance::new(Some(19));
        let mut module = 0;
        while text.len() < WEIGHT {
            let (a, b, c) = (chance.next(), chance.next(), chance.next());
            let _ = writeln!(
                text,
                "__d(\"SandboxModule{module}\",function(g,r,e){{\"use strict\";var k=\"{a:x}\",v={};e.exports=function(x){{\
                 return x&&x.id===k?r(\"SandboxModule{}\")(v):\"{b:x}{c:x}\";}};}});",
                a % 100_000,
                module / 2
            );
            module += 1;
        }
        text.push_str("})();\n");
        Self(Bytes::from(text))
    }
}

pub(crate) async fn serve(sdk: Data<Sdk>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/x-javascript; charset=utf-8")
        .insert_header((CACHE_CONTROL, "public, max-age=1200"))
        // Pages load it with crossorigin="anonymous".
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .body(sdk.0.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_weighs_what_the_real_one_weighs_and_is_always_the_same() {
        let sdk = Sdk::new();
        assert!((150_000..200_000).contains(&sdk.0.len()));
        assert_eq!(sdk.0, Sdk::new().0);
    }
}
