//! `gateway serve` with a sandbox in a process of its own, and the same gateway again on the same database.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::{Duration, Instant, sleep, timeout};

use super::Number;
use super::gateway::{Program, Settings, free_port, store_url};
use super::pretend::Serving;
use super::seed::{self, Site};
use super::spawned::{Folder, PATIENCE, Spawned, first_line, log, random, write_private};
use crate::api::{self, Api};
use crate::loopback;
use crate::options;
use crate::report::tell;

/// With a large backlog, or many businesses, a start may take a while; how long it took is told.
const LONG_START: Duration = Duration::from_mins(5);

/// Settings of one measurement, which those of the command line beat.
pub type Chosen<'a> = &'a [(&'a str, String)];

/// What a gateway is started with, the first time and again.
#[derive(Debug)]
pub struct Again {
    program: Program,
    file: PathBuf,
    operations: Api,
}

/// Businesses that are there from the start.
#[derive(Debug, Clone, Copy)]
pub struct Seeding<'a> {
    pub with: &'a options::Seed,
    pub count: u32,
}

impl Spawned {
    pub async fn serve(
        options: &options::Gateway,
        seeding: Option<Seeding<'_>>,
        chosen: Chosen<'_>,
    ) -> Result<(Self, Vec<Number>)> {
        let folder = Folder::new(options.keep)?;
        let program = Program::new(&options.program, &options.setting)?;
        let (app_secret, verify_token) = (random("app")?, random("verify")?);
        let (pretend, sandbox) = start_sandbox(&app_secret, &verify_token, &folder).await?;

        let keys = folder.path().join("master.keys");
        write_private(&keys, &program.answer(&["keys", "new"]).await?)?;
        let (listen, operations) = (free_port()?, free_port()?);
        let given = options.store_url.as_deref();
        let settings = |store_url: &str| {
            let (app_secret, verify_token) = (&app_secret, &verify_token);
            let (master_keys_file, sandbox) = (&keys, &sandbox);
            Settings { listen, operations, store_url, master_keys_file, app_secret, verify_token, sandbox }
                .toml()
        };
        let file = folder.path().join("load.toml");
        let prepare = async |name: &str, store_url: &str| {
            let file = folder.path().join(name);
            write_private(&file, &settings(store_url))?;
            let file = file.to_str().context("the temporary folder's name is not text")?;
            program.answer(&["migrate", "--config", file]).await?;
            program.answer(&["api-key", "new", "--config", file]).await
        };
        let (api_key, numbers) = if let Some(Seeding { with, count }) = seeding {
            let site = Site::choose(with, given, folder.path())?;
            let began = Instant::now();
            let api_key = prepare("seed.toml", &site.url()?).await?;
            let numbers = seed::fill(&with.seeder, count, &site.url()?, &keys, &sandbox.base).await?;
            site.settle(folder.path())?;
            write_private(&file, &settings(&store_url(given, folder.path())?))?;
            tell(&format!("{count} businesses seeded in {:.1} s", began.elapsed().as_secs_f64()));
            (api_key, numbers)
        } else {
            (prepare("load.toml", &store_url(given, folder.path())?).await?, Vec::new())
        };
        ensure!(!api_key.is_empty() && !api_key.contains('\n'), "gateway api-key new printed no key");

        let operations = loopback::base(&format!("http://127.0.0.1:{operations}"))?;
        let again = Again { program, file, operations: Api::new(api::client()?, operations, None) };
        let child = again.start(&folder, chosen).await?;
        let gateway = format!("http://127.0.0.1:{listen}");
        let sandbox_api = Api::new(api::client()?, loopback::base(&sandbox.base)?, None);
        introduce(&sandbox_api, &gateway).await?;
        let children = vec![("gateway", child), ("sandbox", pretend)];
        let sandbox = sandbox.base;
        let spawned = Self { gateway, sandbox, api_key, app_secret, children, again: Some(again), folder };
        spawned.tell();
        Ok((spawned, numbers))
    }

    /// Stops the gateway as a new version would, and starts it again; the sandbox goes on. How long the start took.
    pub async fn restart(&mut self, chosen: Chosen<'_>) -> Result<Duration> {
        let again = self.again.as_ref().context("only gateway serve is started again")?;
        let gateway = self.children.iter_mut().find(|(name, _)| *name == "gateway");
        let (_, child) = gateway.context("there is no gateway")?;
        terminate(child).await?;
        let began = Instant::now();
        *child = again.start(&self.folder, chosen).await?;
        let took = began.elapsed();
        self.tell();
        Ok(took)
    }

    fn tell(&self) {
        for process in self.watched() {
            tell(&format!("{} is process {}", process.name, process.pid));
        }
    }
}

impl Again {
    async fn start(&self, folder: &Folder, chosen: Chosen<'_>) -> Result<Child> {
        let file = self.file.to_str().context("the temporary folder's name is not text")?;
        let mut serve = self.program.command(&["serve", "--config", file], chosen);
        serve.stdout(Stdio::null()).stderr(log(folder, "gateway.log")?);
        let mut child = serve.spawn().context("gateway serve")?;
        let start = Instant::now();
        while self.operations.get("readyz").await.is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("gateway serve ended with {status}:\n{}", folder.log("gateway.log"));
            }
            ensure!(
                start.elapsed() < LONG_START,
                "gateway serve is not ready:\n{}",
                folder.log("gateway.log")
            );
            sleep(Duration::from_millis(20)).await;
        }
        Ok(child)
    }
}

/// Asks it to end, by its id, and waits until it has.
async fn terminate(child: &mut Child) -> Result<()> {
    let id = child.id().context("the gateway has ended by itself")?;
    let asked = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
    ensure!(asked.success(), "the gateway could not be asked to end");
    timeout(PATIENCE, child.wait()).await.context("the gateway does not end")??;
    Ok(())
}

/// This same program, as the sandbox; it ends when its standard input does.
async fn start_sandbox(app_secret: &str, verify_token: &str, folder: &Folder) -> Result<(Child, Serving)> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("sandbox")
        .env("LOADTESTS_APP_SECRET", app_secret)
        .env("LOADTESTS_VERIFY_TOKEN", verify_token);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log(folder, "sandbox.log")?);
    let mut child = command.kill_on_drop(true).spawn().context("the sandbox")?;
    let line = first_line(&mut child).await.with_context(|| folder.log("sandbox.log"))?;
    Ok((child, serde_json::from_str(&line)?))
}

/// Tells the sandbox where webhooks go, and waits for the handshake.
async fn introduce(sandbox: &Api, gateway: &str) -> Result<()> {
    sandbox.put("control/app", &json!({"callback_url": format!("{gateway}/webhooks/meta")})).await?;
    let start = Instant::now();
    loop {
        let app = sandbox.get("control/app").await?;
        if app["callback"]["verified"] == Value::Bool(true) {
            return Ok(());
        }
        let why = &app["callback"]["last_error"];
        ensure!(start.elapsed() < PATIENCE, "the gateway does not answer the webhook handshake: {why}");
        sleep(Duration::from_millis(50)).await;
    }
}
