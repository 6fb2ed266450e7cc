//! What a commit costs: whole lives of messages, written in batches of one size, one commit after the other.
//!
//! `cargo run --release -p store --example commits -- URL [LIVES A COMMIT] [BUSINESSES] [SECONDS] [DAYS]`

#![expect(clippy::print_stdout, reason = "it is a program that prints figures")]

use std::fs;
use std::time::{Duration, Instant};

use domain::business::NewBusiness;
use domain::clock::Timestamp;
use domain::contracts::store::{Batch, IdempotencyRecord, LaneKey, NewMessage, Node, Transition};
use domain::delivery_status::DeliveryStatus;
use domain::event::{EventType, NewEvent, report_id};
use domain::ids::{ConnectionId, MessageId};
use domain::message::Priority;
use domain::outbox::{Claim, OnAmbiguous, OutboxState};
use domain::partition::{Epoch, Incarnation, Partition};
use domain::secret::Sealed;
use uuid::{ContextV7, Uuid};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |place: usize, default: usize| {
        arguments.get(place).map_or(default, |text| text.parse().expect("a whole number"))
    };
    let url = arguments.get(1).expect("the URL of an empty database");
    let (lives, businesses, seconds) = (number(2, 20), number(3, 25), number(4, 5));
    let store = store::open(&store::Config::with_url(url)).await.unwrap();
    store.migrate().await.unwrap();
    let now = Timestamp::from_seconds(4_102_444_800);
    for day in 0..number(5, 1) {
        store.prepare_days(now.plus(Duration::from_hours(24) * u32::try_from(day).unwrap())).await.unwrap();
    }
    let account = store.ensure_account("acme", now).await.unwrap();
    let mut owners = Vec::new();
    for number in 0..businesses {
        let new = NewBusiness::unnamed(format!("duka-{number}").parse().unwrap(), "sw");
        owners.push(store.ensure_business(account, &new, now).await.unwrap().0);
    }
    let node = Node { incarnation: Incarnation(7), name: "a".to_owned(), address: "127.0.0.1:1".to_owned() };
    store.join(&node, now).await.unwrap();
    let epochs: Vec<(Partition, Epoch)> = store.take_all(node.incarnation).await.unwrap();
    let epoch = epochs[0].1;
    let context = ContextV7::new();
    let connections: Vec<ConnectionId> =
        owners.iter().map(|_| ConnectionId::from_uuid(Uuid::new_v4())).collect();

    let mut count = 0_usize;
    let mut message = || {
        count += 1;
        let owner = &owners[count % owners.len()];
        let second = 4_102_444_800 + (count / 1_000) as u64;
        let millis = u32::try_from(count % 1_000).unwrap() * 1_000_000;
        let uuid = Uuid::new_v7(uuid::Timestamp::from_unix(&context, second, millis));
        let mut key_hash = [0; 32];
        key_hash[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        NewMessage {
            id: MessageId::from_uuid(uuid),
            partition: owner.partition,
            account,
            business: owner.key,
            connection: connections[count % owners.len()],
            recipient: format!("+2557{count:08}"),
            lane: LaneKey(i64::try_from(count).unwrap()),
            kind: "text".to_owned(),
            state: OutboxState::Sending(Claim { epoch, attempt: 1, at: now }),
            priority: Priority::Normal,
            order: domain::message::Order::Strict,
            on_ambiguous: OnAmbiguous::Resend,
            client_ref: None,
            opaque: None,
            accepted_at: now,
            send_at: None,
            expires_at: now.plus(Duration::from_hours(24)),
            body: Sealed::from_bytes(vec![7; 230]),
            idempotency: Some(IdempotencyRecord {
                account,
                key_hash,
                route: "POST /v1/messages".to_owned(),
                body_hash: [7; 32],
                answer_status: 202,
                answer: "x".repeat(150),
                created_at: now,
            }),
            replay_of: None,
            timeline: Vec::new(),
        }
    };
    let sent = |message: &NewMessage| Transition {
        message: message.id,
        connection: message.connection,
        partition: message.partition,
        from: message.state,
        to: OutboxState::Sent { attempts: 1 },
        provider_id: Some(format!("wamid.HBgM{}", message.id.uuid().simple())),
        error: None,
        at: now,
        unless_reported: false,
        timeline: Vec::new(),
    };
    let report = |message: &NewMessage, status: DeliveryStatus| NewEvent {
        with_transition: false,
        id: report_id(message.connection, message.id, status.as_str(), ""),
        event_type: EventType::MessageStatus,
        account,
        business: message.business,
        connection: Some(message.connection),
        message: Some(message.id),
        status: Some(status),
        occurred_at: now,
        body: Sealed::from_bytes(vec![9; 500]),
    };
    let statuses = [DeliveryStatus::Sent, DeliveryStatus::Delivered, DeliveryStatus::Read];
    let mut history: Vec<Vec<NewMessage>> = Vec::new();
    let (begun, cpu_begun, servers_begun) = (Instant::now(), cpu("self"), servers(url));
    let mut took = Vec::new();
    while begun.elapsed() < Duration::from_secs(seconds as u64) {
        let messages: Vec<NewMessage> = (0..lives).map(|_| message()).collect();
        let mut batch = Batch { messages: messages.clone(), ..Batch::default() };
        for (status, earlier) in statuses.iter().zip(history.iter().rev()) {
            batch.events.extend(earlier.iter().map(|message| report(message, *status)));
        }
        batch.transitions.extend(history.last().iter().flat_map(|last| last.iter()).map(sent));
        let started = Instant::now();
        let committed = store.commit(&epochs, &batch).await.unwrap();
        took.push(started.elapsed());
        assert!(committed.transitions.iter().all(|applied| *applied));
        assert!(committed.events.iter().all(Option::is_some));
        history.push(messages);
        if history.len() > 3 {
            history.remove(0);
        }
    }
    let elapsed = begun.elapsed();
    took.sort_unstable();
    let done = (took.len() * lives) as f64;
    println!(
        "{lives} lives a commit, {businesses} businesses: {:.0} lives/s, commit p50 {:.2} ms, p99 {:.2} ms; CPU a life: \
         {:.3} ms ours, {:.3} ms of Postgres; CPU a commit: {:.2} ms, {:.2} ms",
        done / elapsed.as_secs_f64(),
        took[took.len() / 2].as_secs_f64() * 1e3,
        took[took.len() * 99 / 100].as_secs_f64() * 1e3,
        (cpu("self") - cpu_begun) / done,
        (servers(url) - servers_begun) / done,
        (cpu("self") - cpu_begun) / took.len() as f64,
        (servers(url) - servers_begun) / took.len() as f64,
    );
}

/// Milliseconds of processor time.
fn cpu(process: &str) -> f64 {
    let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { return 0.0 };
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0.0 };
    let fields: Vec<f64> = rest.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap_or(0.0)).collect();
    fields.iter().sum::<f64>() * 10.0
}

/// The same, of the servers of Postgres that work for the database of this URL.
fn servers(url: &str) -> f64 {
    let database = url.rsplit('/').next().unwrap_or_default();
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    let of_database = processes.filter_map(|process| {
        let process = process.into_string().ok()?;
        let title = fs::read_to_string(format!("/proc/{process}/cmdline")).ok()?;
        (title.starts_with("postgres: ") && title.contains(database)).then(|| cpu(&process))
    });
    of_database.sum()
}
