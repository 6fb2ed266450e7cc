//! Every metric of this crate, with its description.

use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

pub fn describe() {
    describe_histogram!("gateway_writer_batch_rows", "Rows in one commit of the writer");
    describe_counter!("gateway_messages_accepted_total", "Messages accepted, by how: queued or claimed");
    describe_counter!(
        "gateway_messages_refused_total",
        "Messages not accepted, or not sent, for their recipient's sake"
    );
    describe_counter!("gateway_posts_total", "Posts to providers, by outcome");
    describe_counter!("gateway_messages_resent_total", "Ambiguous messages sent again on proof");
    describe_counter!("gateway_updates_total", "Pieces of news out of webhooks: new, known or quarantined");
    describe_counter!("gateway_deliveries_total", "Deliveries of events to endpoints: taken or failed");
    describe_counter!(
        "gateway_endpoint_changes_total",
        "Endpoints that became active, failing, parked or gone"
    );
    describe_counter!(
        "gateway_endpoint_gaps_total",
        "Times that an endpoint went on behind events that are kept no longer"
    );
    describe_gauge!("gateway_posts_in_flight", "Posts to providers under way");
    describe_gauge!("gateway_app_broken", "1 while an app counts as broken and nothing is sent through it");
    describe_counter!("gateway_connections_halted_total", "Connections that stopped sending, by reason");
    describe_gauge!("gateway_connections_running", "Connection actors in memory");
    describe_counter!("gateway_connection_crashes_total", "Connection actors that ended by a panic");
}

pub(crate) fn batch(rows: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most some hundred rows")]
    histogram!("gateway_writer_batch_rows").record(rows as f64);
}

pub(crate) fn accepted(how: &'static str) {
    counter!("gateway_messages_accepted_total", "how" => how).increment(1);
}

pub(crate) fn refused(reason: &'static str) {
    counter!("gateway_messages_refused_total", "reason" => reason).increment(1);
}

pub(crate) fn posted(outcome: &'static str) {
    counter!("gateway_posts_total", "outcome" => outcome).increment(1);
}

pub(crate) fn posts_in_flight(posts: usize) {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 posts")]
    gauge!("gateway_posts_in_flight").set(posts as f64);
}

pub(crate) fn broken_app(app: &str, broken: bool) {
    gauge!("gateway_app_broken", "app" => app.to_owned()).set(f64::from(u8::from(broken)));
}

pub(crate) fn halted(reason: &'static str) {
    counter!("gateway_connections_halted_total", "reason" => reason).increment(1);
}

pub(crate) fn resent() {
    counter!("gateway_messages_resent_total").increment(1);
}

pub(crate) fn updates(kind: &'static str, count: u64) {
    counter!("gateway_updates_total", "kind" => kind).increment(count);
}

pub(crate) fn delivered(taken: bool) {
    counter!("gateway_deliveries_total", "outcome" => if taken { "taken" } else { "failed" }).increment(1);
}

pub(crate) fn endpoint_is(health: &'static str) {
    counter!("gateway_endpoint_changes_total", "health" => health).increment(1);
}

pub(crate) fn endpoint_missed_events() {
    counter!("gateway_endpoint_gaps_total").increment(1);
}

pub(crate) fn connections(running: usize) {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 connections")]
    gauge!("gateway_connections_running").set(running as f64);
}

pub(crate) fn crashed() {
    counter!("gateway_connection_crashes_total").increment(1);
}
