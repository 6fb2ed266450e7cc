//! All state of the sandbox in one place, and the few changes that touch several parts of it.
//!
//! A record is handed to the journal while the lock of what it describes is held, so that the journal tells the
//! changes in the order in which they happened. Locks are taken in the order accounts, sent, pending, media.

use crate::accounts::{Accounts, AppState, Callback};
use crate::chance::{Chance, random_hex};
use crate::clock::Clock;
use crate::faults::{FaultSet, Faults};
use crate::journal::{Folder, Journal, Record, Synced};
use crate::limits::Limiter;
use crate::media::Shelf;
use crate::posted::PostedLog;
use crate::sent::{Outcome, Received, Sent, SentLog};
use crate::webhooks::{Accepted, Change, Event, Queue};
use crate::{Config, Secret, samples};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) struct World {
    pub(crate) config: Config,
    /// Without a slash at the end.
    pub(crate) public_url: String,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) accounts: Mutex<Accounts>,
    pub(crate) sent: Mutex<SentLog>,
    pub(crate) posted: Mutex<PostedLog>,
    pub(crate) faults: Faults,
    pub(crate) limiter: Limiter,
    pub(crate) webhooks: Queue,
    pub(crate) media: Mutex<Shelf>,
    pub(crate) journal: Journal,
    /// For handshakes and webhooks.
    pub(crate) client: reqwest::Client,
    /// What a restart would have to deliver. Kept only together with a journal.
    pending: Mutex<BTreeMap<u64, Event>>,
}

/// Whoever prints a running sandbox wants to know which one it is, not everything that is in it.
impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

/// A handler that panicked with the lock held must not take the sandbox down with it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Replays the journal if there is one, then compacts it. Undelivered webhooks are queued again.
    pub(crate) fn open(
        config: Config,
        public_url: String,
        client: reqwest::Client,
        webhooks: Queue,
    ) -> io::Result<Self> {
        let (folder, records) = match &config.data_dir {
            Some(path) => Journal::read(path).map(|(folder, records)| (Some(folder), records))?,
            None => (None, Vec::new()),
        };
        let mut world = Self {
            public_url,
            clock: Clock::default(),
            chance: Chance::new(config.seed),
            accounts: Mutex::default(),
            sent: Mutex::new(SentLog::new(config.sent_limit)),
            posted: Mutex::new(PostedLog::new(config.posted_limit)),
            faults: Faults::default(),
            limiter: Limiter::new(config.limits),
            webhooks,
            media: Mutex::default(),
            journal: Journal::default(),
            client,
            pending: Mutex::default(),
            config,
        };
        let pending = world.replay(records);
        world.settle_app();
        if world.config.sample_businesses {
            samples::duka_la_asha(&mut locked(&world.accounts));
        }
        for (id, event) in &pending {
            world.webhooks.redeliver(*id, event.clone());
        }
        if let Some(folder) = folder {
            world.pending = Mutex::new(pending);
            world.journal = world.start_journal(folder)?;
        }
        Ok(world)
    }

    /// Records one request to send. With `accepted`, its statuses are set in motion.
    pub(crate) fn record_sent(
        &self,
        phone_number_id: &str,
        outcome: Outcome,
        received: Received<'_>,
        accepted: Option<Accepted>,
    ) -> Synced {
        let body = received.json();
        let accepted = accepted.map(Arc::new);
        let mut log = locked(&self.sent);
        let entry = Sent {
            seq: log.next_seq(),
            at_ms: self.clock.now_ms(),
            phone_number_id: phone_number_id.to_owned(),
            host: received.host.to_owned(),
            id: accepted.as_ref().map(|message| message.id.clone()),
            outcome,
            body,
        };
        let mut synced = Synced::already();
        if self.journal.is_kept() {
            if let Some(message) = &accepted {
                let events = (0..message.statuses.len()).map(|index| {
                    (message.first_webhook + index as u64, Event::Status { message: message.clone(), index })
                });
                locked(&self.pending).extend(events);
            }
            let record = Record::Sent {
                entry: Cow::Borrowed(&entry),
                accepted: accepted.as_deref().map(Cow::Borrowed),
            };
            if accepted.is_some() {
                synced = self.journal.append(&record);
            } else {
                self.journal.append_lazily(&record);
            }
        }
        log.push(entry);
        drop(log);
        if let Some(message) = accepted {
            self.webhooks.statuses(message);
        }
        synced
    }

    /// Queues a webhook other than a status, `delay_ms` from now.
    pub(crate) fn notify(&self, change: Change, delay_ms: u64) -> Synced {
        let id = self.webhooks.reserve(1);
        let event = Event::Change(Arc::new(change));
        let mut synced = Synced::already();
        if self.journal.is_kept() {
            let mut pending = locked(&self.pending);
            if let Event::Change(change) = &event {
                synced = self.journal.append(&Record::Webhook { id, change: Cow::Borrowed(change) });
            }
            pending.insert(id, event.clone());
        }
        self.webhooks.later(id, event, delay_ms);
        synced
    }

    /// These webhooks were delivered, dropped on purpose or given up.
    pub(crate) fn done(&self, ids: &[u64]) {
        if self.journal.is_kept() && !ids.is_empty() {
            let mut pending = locked(&self.pending);
            for id in ids {
                pending.remove(id);
            }
            self.journal.append_lazily(&Record::Done(Cow::Borrowed(ids)));
        }
    }

    pub(crate) fn replace_faults(&self, faults: FaultSet) -> Synced {
        let synced = self.journal.append(&Record::Faults(Cow::Borrowed(&faults)));
        self.faults.replace(faults);
        synced
    }

    /// Forgets what was sent and posted and every fault; accounts, tokens and undelivered webhooks stay.
    pub(crate) fn reset(&self) -> Synced {
        let accounts = locked(&self.accounts);
        let mut sent = locked(&self.sent);
        let pending = locked(&self.pending);
        sent.clear();
        locked(&self.posted).clear();
        self.faults.replace(FaultSet::default());
        self.journal.replace(|| self.snapshot(&accounts, &sent, &pending))
    }

    pub(crate) fn webhooks_pending(&self) -> usize {
        self.webhooks.waiting()
    }

    fn replay(&mut self, records: Vec<Record<'static>>) -> BTreeMap<u64, Event> {
        let accounts = self.accounts.get_mut().unwrap_or_else(PoisonError::into_inner);
        let sent = self.sent.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut pending = BTreeMap::new();
        let mut next_webhook = 1;
        let mut statuses = |message: Accepted, pending: &mut BTreeMap<u64, Event>| {
            let message = Arc::new(message);
            for index in 0..message.statuses.len() {
                let id = message.first_webhook + index as u64;
                pending.insert(id, Event::Status { message: message.clone(), index });
            }
            next_webhook = next_webhook.max(message.first_webhook + message.statuses.len() as u64);
        };
        let mut highest = 0;
        for record in records {
            match record {
                Record::App(app) => accounts.set_app(app.into_owned()),
                Record::Portfolio(portfolio) => {
                    accounts.portfolios.insert(portfolio.id.clone(), portfolio.into_owned());
                }
                Record::Waba(waba) => {
                    accounts.wabas.insert(waba.id.clone(), waba.into_owned());
                }
                Record::Number(number) => {
                    accounts.numbers.insert(number.id.clone(), number.into_owned());
                }
                Record::Token(token) => accounts.add_token(token.into_owned()),
                Record::Code(code) => {
                    accounts.codes.insert(code.text.clone(), code.into_owned());
                }
                Record::Person { key, person } => {
                    accounts.people.insert(key.into_owned(), person.into_owned());
                }
                Record::Media(medium) => {
                    let held = self.media.get_mut().unwrap_or_else(PoisonError::into_inner);
                    held.media.insert(medium.id.clone(), medium.into_owned());
                }
                Record::MediaGone(id) => {
                    let held = self.media.get_mut().unwrap_or_else(PoisonError::into_inner);
                    held.media.remove(&*id);
                }
                Record::Clock(offset) => self.clock.set_offset_ms(offset),
                Record::Limits(limits) => self.limiter.set(limits),
                Record::Faults(faults) => self.faults.replace(faults.into_owned()),
                Record::Sent { entry, accepted } => {
                    sent.push(entry.into_owned());
                    if let Some(message) = accepted {
                        statuses(message.into_owned(), &mut pending);
                    }
                }
                Record::Statuses(message) => statuses(message.into_owned(), &mut pending),
                Record::Webhook { id, change } => {
                    highest = highest.max(id + 1);
                    pending.insert(id, Event::Change(Arc::new(change.into_owned())));
                }
                Record::Done(ids) => ids.iter().for_each(|id| {
                    pending.remove(id);
                }),
                Record::Next { seq, webhook } => {
                    sent.continue_from(seq);
                    highest = highest.max(webhook);
                }
            }
        }
        self.webhooks.continue_from(highest.max(next_webhook));
        pending
    }

    /// The configuration wins over the journal; what neither says is made up once and then remembered.
    fn settle_app(&mut self) {
        let (config, kept) = (&self.config.app, locked(&self.accounts).app.clone());
        let choose = |configured: &Option<Secret>, kept: &Secret| match configured {
            Some(secret) => secret.clone(),
            None if kept.expose().is_empty() => Secret::new(random_hex(16)),
            None => kept.clone(),
        };
        let secret = choose(&config.secret, &kept.secret);
        let verify_token = choose(&config.verify_token, &kept.verify_token);
        let same_token = verify_token == kept.verify_token;
        let callback = match &config.callback_url {
            None => kept
                .callback
                .map(|callback| Callback { verified: callback.verified && same_token, ..callback }),
            Some(url) => kept
                .callback
                .filter(|callback| callback.url == *url && same_token)
                .or_else(|| Some(Callback { url: url.clone(), verified: false, last_error: None })),
        };
        locked(&self.accounts).set_app(AppState { secret, verify_token, callback });
    }

    fn start_journal(&self, folder: Folder) -> io::Result<Journal> {
        let snapshot = {
            let (accounts, sent, pending) =
                (locked(&self.accounts), locked(&self.sent), locked(&self.pending));
            self.snapshot(&accounts, &sent, &pending)
        };
        Journal::start(folder, &snapshot, self.config.journal_sync)
    }

    fn snapshot(&self, accounts: &Accounts, sent: &SentLog, pending: &BTreeMap<u64, Event>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut write = |record: Record<'_>| record.write(&mut out);
        write(Record::App(Cow::Borrowed(&accounts.app)));
        write(Record::Clock(self.clock.offset_ms()));
        if self.limiter.settings() != self.config.limits {
            write(Record::Limits(self.limiter.settings()));
        }
        write(Record::Faults(Cow::Owned(self.faults.current())));
        accounts.portfolios.values().for_each(|p| write(Record::Portfolio(Cow::Borrowed(p))));
        accounts.wabas.values().for_each(|w| write(Record::Waba(Cow::Borrowed(w))));
        accounts.numbers.values().for_each(|n| write(Record::Number(Cow::Borrowed(n))));
        accounts.tokens.values().for_each(|t| write(Record::Token(Cow::Borrowed(t))));
        let recent = self.clock.now_ms() - 24 * 3_600_000;
        let codes = accounts.codes.values().filter(|code| code.issued_ms > recent);
        codes.for_each(|code| write(Record::Code(Cow::Borrowed(code))));
        for (key, person) in &accounts.people {
            write(Record::Person { key: Cow::Borrowed(key), person: Cow::Borrowed(person) });
        }
        let now = self.clock.now_ms();
        let held = locked(&self.media);
        let live = held.media.values().filter(|medium| medium.until_ms > now);
        live.for_each(|medium| write(Record::Media(Cow::Borrowed(medium))));
        sent.iter().for_each(|entry| write(Record::Sent { entry: Cow::Borrowed(entry), accepted: None }));
        let mut written = 0;
        for (id, event) in pending {
            match event {
                Event::Change(change) => write(Record::Webhook { id: *id, change: Cow::Borrowed(change) }),
                Event::Status { message, .. } if message.first_webhook != written => {
                    written = message.first_webhook;
                    write(Record::Statuses(Cow::Borrowed(message)));
                    let all = written..written + message.statuses.len() as u64;
                    let done: Vec<_> = all.filter(|id| !pending.contains_key(id)).collect();
                    write(Record::Done(Cow::Owned(done)));
                }
                Event::Status { .. } => {}
            }
        }
        write(Record::Next { seq: sent.next_seq(), webhook: self.webhooks.next_id() });
        out
    }
}
