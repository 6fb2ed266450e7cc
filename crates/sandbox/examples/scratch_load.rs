#![allow(clippy::all, clippy::pedantic, clippy::print_stdout, clippy::disallowed_methods)]
use sandbox::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args[1].as_str() {
        "serve" => {
            let mut c = Config::for_tests();
            c.workers = 1;
            c.app.require_secret = false;
            c.app.secret = Some("s".into());
            c.app.verify_token = Some("v".into());
            if args.len() > 3 { c.data_dir = Some(args[3].clone().into()); }
            let r = Sandbox::start(c).await.unwrap();
            let b = r.seed_connected(0).await.unwrap();
            r.set_callback_url(&args[2]).await.unwrap();
            println!("{} {} {}", r.address(), b.phone_number_id, b.access_token.expose());
            loop { tokio::time::sleep(std::time::Duration::from_secs(3600)).await; }
        }
        "sink" => {
            use actix_web::{web, App, HttpServer, HttpResponse};
            let s = HttpServer::new(|| App::new()
                .route("/hook", web::get().to(|q: web::Query<std::collections::HashMap<String,String>>| async move { HttpResponse::Ok().body(q["hub.challenge"].clone()) }))
                .route("/hook", web::post().to(|_b: web::Bytes| async { HttpResponse::Ok().finish() })))
                .workers(1).bind("127.0.0.1:18999").unwrap().run();
            s.await.unwrap();
        }
        "drive" => {
            let (addr, phone, token, rate, secs) = (&args[2], &args[3], &args[4], args[5].parse::<u64>().unwrap(), args[6].parse::<u64>().unwrap());
            let conns = 16u64;
            let mut tasks = vec![];
            let start = std::time::Instant::now();
            for k in 0..conns {
                let (addr, phone, token) = (addr.clone(), phone.clone(), token.clone());
                tasks.push(tokio::spawn(async move {
                    let mut s = tokio::net::TcpStream::connect(&addr).await.unwrap();
                    s.set_nodelay(true).unwrap();
                    let n = rate * secs / conns;
                    let mut buf = vec![0u8; 8192];
                    let mut max = std::time::Duration::ZERO;
                    for i in 0..n {
                        let due = std::time::Duration::from_micros(i * conns * 1_000_000 / rate);
                        let el = start.elapsed();
                        if due > el { tokio::time::sleep(due - el).await; }
                        let body = format!(r#"{{"messaging_product":"whatsapp","recipient_type":"individual","to":"+2557{:08}","type":"text","text":{{"preview_url":false,"body":"Habari yako, agizo lako liko tayari. Tafadhali fika dukani kabla ya saa kumi na mbili jioni. Asante!"}},"biz_opaque_callback_data":"v1.msg_0199f1c2b3d47aa18c5e0f1a2b3c4d5e.1"}}"#, (k * 1_000_000 + i) % 100_000_000);
                        let t = std::time::Instant::now();
                        let req = format!("POST /graph/v25.0/{phone}/messages?appsecret_proof=6 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).replace("?appsecret_proof=6", "");
                        s.write_all(req.as_bytes()).await.unwrap();
                        let r = s.read(&mut buf).await.unwrap();
                        assert!(buf[..r].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buf[..r]));
                        max = max.max(t.elapsed());
                    }
                    (n, max)
                }));
            }
            let mut total = 0; let mut max = std::time::Duration::ZERO;
            for t in tasks { let (n, m) = t.await.unwrap(); total += n; max = max.max(m); }
            println!("{} in {:?}: {:.0}/s, max {:?}", total, start.elapsed(), total as f64 / start.elapsed().as_secs_f64(), max);
        }
        _ => panic!(),
    }
}
