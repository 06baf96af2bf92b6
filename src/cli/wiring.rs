//! The engine with its real parts: database, provider, vault, spool, clock and ids.
//!
//! Only verbs that act need it. Here the last checks are made before anything may be sent: the key
//! that seals billing keys is the database's own, and key, address and mode of the provider fit.

use std::sync::Arc;

use super::error::CliError;
use super::ids::UlidIds;
use super::open::Opened;
use super::permit::Permit;
use super::process;
use crate::config::{Account, ProviderAddress, Settings};
use crate::domain::billing::Install;
use crate::domain::customer::SealedKey;
use crate::domain::mode::{Mode, ProviderName};
use crate::domain::operator::Verb;
use crate::engine::ports::{
    Attempts as _, Desk, KeyVault, KeyVaultError, NoSpool, Provider, RunLeases as _, SealedFor,
    Store as _, Tx as _,
};
use crate::engine::{Engine, EngineSettings, Parts, RefundAlone, RefundLimits};
use crate::provider::stripe::{StripeClient, StripeOptions};
use crate::provider::toss::{TossClient, TossOptions};
use crate::secret::Secret;
use crate::spool::FileSpool;
use crate::store::{SqlStore, account_key};
use crate::vault::Vault;

/// What verbs that act are called on.
pub type LiveEngine = Engine<SqlStore>;

/// Puts the engine together, or says what is missing. Nothing is sent.
pub async fn engine(
    opened: &mut Opened,
    permit: Option<&Permit>,
) -> Result<Arc<LiveEngine>, CliError> {
    let vault = vault(opened).await?;
    let providers = providers(opened).await?;
    let install = install(&opened.store).await?;
    let engine = Arc::new(Engine::new(Parts {
        store: opened.store.clone(),
        providers,
        vault: Arc::new(vault),
        spool: Arc::new(spool(opened, &install.id8)),
        clock: opened.clock.clone(),
        ids: Arc::new(UlidIds::default()),
        settings: engine_settings(&opened.settings),
        install,
        process: opened.process.clone(),
    }));
    // What an earlier process could not write is written by the next one that may, under a name that may.
    if permit.is_some()
        && opened.operator.check(Verb::ResolveUnknown).is_ok()
        && let Err(error) = engine.take_in_kept(&opened.operator).await
    {
        tracing::warn!(%error, "what this host keeps cannot be taken in yet");
    }
    Ok(engine)
}

/// An engine for a session that changes nothing: no provider, and no key that could be opened.
pub async fn looking_engine(opened: &Opened) -> Result<Arc<LiveEngine>, CliError> {
    Ok(Arc::new(Engine::new(Parts {
        store: opened.store.clone(),
        providers: Vec::new(),
        vault: Arc::new(NoKeys),
        spool: Arc::new(NoSpool),
        clock: opened.clock.clone(),
        ids: Arc::new(UlidIds::default()),
        settings: engine_settings(&opened.settings),
        install: install(&opened.store).await?,
        process: opened.process.clone(),
    })))
}

/// The vault of a session that changes nothing.
#[derive(Debug)]
struct NoKeys;

impl KeyVault for NoKeys {
    fn key_id(&self) -> String {
        String::new()
    }

    fn seal(&self, _: SealedFor<'_>, _: &Secret) -> Result<SealedKey, KeyVaultError> {
        Err(KeyVaultError::Seal("this session has no keys".into()))
    }

    fn open(&self, row: SealedFor<'_>, _: &SealedKey) -> Result<Secret, KeyVaultError> {
        Err(KeyVaultError::Unreadable {
            method: row.method.to_string(),
        })
    }

    fn hash(&self, _: &Secret) -> String {
        String::new()
    }
}

/// The installation's key, which must be the one the database's billing keys are sealed under.
pub async fn vault(opened: &Opened) -> Result<Vault, CliError> {
    let files = &opened.settings.vault;
    let vault = Vault::load_rotating(&files.key_file, &files.previous_key_files)?;
    let loaded = vault.key_id().to_string();
    match opened.store.meta("key_id").await? {
        Some(database) if !vault.knows(&database) => Err(CliError::OtherKey { database, loaded }),
        Some(_) | None => Ok(vault),
    }
}

/// The client of Stripe, where it is configured.
pub async fn stripe(opened: &Opened) -> Result<Option<StripeClient>, CliError> {
    let settings = &opened.settings;
    let Some((account, secret_key)) = settings.stripe_with_key() else {
        return Ok(None);
    };
    let base_url = base_url(account, ProviderName::Stripe, opened);
    let client = StripeClient::new(StripeOptions {
        return_url: return_url(account, settings.mode, &base_url),
        base_url,
        secret_key: secret_key.clone(),
        mode: settings.mode,
        connect_timeout: settings.timeouts.connect,
        total_timeout: settings.timeouts.total,
    })?;
    // No call is made with a key of another account than the one whose books this database keeps.
    let account = opened.store.meta(account_key(ProviderName::Stripe)).await?;
    Ok(Some(client.with_account(account)))
}

/// The client of every provider that is configured. In mode sim the simulator must be there.
pub async fn providers(opened: &mut Opened) -> Result<Vec<Arc<dyn Provider>>, CliError> {
    if let Some(trouble) = opened.simulator_trouble.take() {
        return Err(trouble);
    }
    let settings = &opened.settings;
    let mut clients: Vec<Arc<dyn Provider>> = Vec::new();
    if let Some(client) = stripe(opened).await? {
        clients.push(Arc::new(client));
    }
    // A shop of Stripe alone needs no key of Toss.
    if clients.is_empty() || settings.toss.secret_key.is_some() {
        let client = TossClient::new(TossOptions {
            base_url: base_url(&settings.toss, ProviderName::Toss, opened),
            secret_key: settings.toss_secret_key()?.clone(),
            mode: settings.mode,
            connect_timeout: settings.timeouts.connect,
            total_timeout: settings.timeouts.total,
        })?;
        // Its answers must be about the account whose books this database keeps.
        let account = opened.store.meta(account_key(ProviderName::Toss)).await?;
        clients.insert(
            0,
            match account {
                Some(account) => Arc::new(client.with_merchant_id(account)),
                None => Arc::new(client),
            },
        );
    }
    Ok(clients)
}

/// The simulator has a page to come back to; anybody else's has to be named.
fn return_url(account: &Account, mode: Mode, base_url: &str) -> Option<String> {
    let own = || (mode == Mode::Sim).then(|| format!("{base_url}/3d_secure_2/returned"));
    account.return_url.clone().or_else(own)
}

fn base_url(account: &Account, provider: ProviderName, opened: &Opened) -> String {
    match (&account.address, &opened.simulator) {
        (ProviderAddress::Sandbox { .. }, Some(url)) => url.clone(),
        (address, _) => address.url_of(provider).unwrap_or_default().to_owned(),
    }
}

/// What this host keeps while the database is away.
pub fn spool(opened: &Opened, install: &str) -> FileSpool {
    let dir = opened.settings.vault.spool_dir.clone();
    let process = opened.process.clone();
    FileSpool::new(dir, install.to_owned(), process, process::is_gone)
}

/// What makes this installation's order ids and idempotency keys its own.
async fn install(store: &SqlStore) -> Result<Install, CliError> {
    let read = async |key: &'static str| -> Result<String, CliError> {
        store
            .meta(key)
            .await?
            .ok_or_else(|| CliError::Internal(format!("the database has no {key}")))
    };
    Ok(Install {
        id8: read("install_id").await?,
        secret: read("install_secret").await?.into_bytes(),
    })
}

/// The engine's part of the settings.
pub fn engine_settings(settings: &Settings) -> EngineSettings {
    let standard = EngineSettings::standard(settings.mode, settings.billing.zone);
    let mut look_up_s = settings.leases.look_ups_s.clone();
    look_up_s.push(settings.leases.look_ups_then_s);
    let once = settings
        .limits
        .refund
        .iter()
        .flat_map(|(role, limits)| limits.iter().map(|limit| (*role, *limit)))
        .collect();
    EngineSettings {
        dunning: settings.dunning.clone(),
        lease_s: settings.leases.attempt_s,
        run_lease_s: settings.leases.run_s,
        look_up_s,
        concurrency: settings.billing.concurrency,
        refund_alone: RefundAlone::Within(RefundLimits {
            once,
            daily_multiple: settings.limits.daily_multiple,
            per_day: settings.limits.refunds_per_day,
        }),
        manual_ready_s: settings.leases.manual_ready_s,
        routing: settings.routing.clone(),
        ..standard
    }
}

/// Gives up the leases of processes of this host that are gone, so that nobody waits for them.
pub async fn release_dead_leases(_permit: &Permit, store: &SqlStore) -> Result<u64, CliError> {
    let mut desk = Desk::new();
    let mut tx = store.begin(&mut desk).await?;
    let owners = tx.lease_owners().await?;
    let now = tx.db_now().await?;
    let mut released = 0;
    for owner in owners.iter().filter(|owner| process::is_gone(owner)) {
        released += tx.release_leases_of(owner, now).await?;
    }
    for owner in tx.run_owners().await? {
        if process::is_gone(&owner) {
            released += tx.let_go_of_runs(&owner, now).await?;
        }
    }
    tx.commit().await?;
    if released > 0 {
        tracing::info!(released, "leases of processes that are gone were given up");
    }
    Ok(released)
}
