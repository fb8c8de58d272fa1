//! The host's part of the queue: takes what is next, runs it, writes down what it says and how it ended.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hub_manifest::limits::{Limit, Limits, Unit};
use tokio::sync::{Notify, mpsc, watch};

use super::fences::{Fences, together};
use super::log::Log;
use super::options::Options;
use super::presence::{self, Presence};
use super::reader::{self, Question};
use super::recipe::{Recipe, find_for_run};
use super::store::{self, Beat, Run};
use super::{Kind, Lineage, State, dbt, home};
use crate::access::Switches;
use crate::db::{Db, Error};
use crate::fault::Fault;
use crate::host::Hub;
use crate::life::Life;
use crate::process::{End, Excess, Job};
use crate::settings::{host_id, reason};

/// How often the queue is looked at when nobody has said that something is in it.
const POLL: Duration = Duration::from_secs(1);
/// How often a run says that it is still under way, and looks whether somebody wants it to end.
const BEAT: Duration = Duration::from_secs(1);
/// A run's host counts as dead after its lease and this, so that the run has ended before another one of its workspace
/// begins: its supervisor ends it when the lease is over.
const MARGIN: Duration = Duration::from_secs(20);
/// How often lines are written down.
const FLUSH: Duration = Duration::from_millis(200);
/// Bytes that are written to the log at once: as much as whoever follows the log has in hand at a time.
const CHUNK: usize = 64 << 10;

/// How long a run that is to end waits for what plans it, which reads no more than so many files.
const PLANNING: Duration = Duration::from_secs(30);

/// How often the end of a log is tried to be written before it is given up.
const LAST_WORDS: u32 = 30;

/// What the host knows of its own runs.
pub(crate) struct Runs {
    wake: Notify,
    /// Rises with every line and every change of state.
    news: watch::Sender<u64>,
    active: AtomicUsize,
    /// The host, as the database knows it.
    pub(crate) presence: Presence,
    /// Whether its identifier is this life's.
    itself: AtomicBool,
    at_once: usize,
    timeout: Duration,
}

impl Runs {
    /// The host's part of the queue, as its data folder and its limits have it.
    pub(crate) fn of_host(limits: &Limits, data: &Path) -> Result<Runs, Fault> {
        // Asked before one is made. What cannot be read is told by whoever reads it.
        let known = fs::metadata(data.join("host-id")).is_ok_and(|about| about.len() > 0);
        let presence = Presence::new(host_id(data)?, data).known(known);
        Ok(Runs::new(presence, limits.size(Limit::RunsAtOnce), limits.time(Limit::RunSeconds)))
    }

    /// For this host; so many runs at once, each for so long at most.
    pub(crate) fn new(presence: Presence, at_once: usize, timeout: Duration) -> Runs {
        let news = watch::Sender::new(0);
        Runs {
            wake: Notify::new(),
            news,
            active: AtomicUsize::new(0),
            presence,
            itself: AtomicBool::new(true),
            at_once,
            timeout,
        }
    }

    /// How many of this host are under way, and how many may be.
    pub(crate) fn under_way(&self) -> (usize, usize) {
        (self.active.load(Ordering::Acquire), self.at_once)
    }

    /// Says that something is in the queue.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Hears of lines and changes of state.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn tell(&self) {
        self.news.send_modify(|number| *number += 1);
    }

    /// Waits until no run of this host is under way.
    pub(crate) async fn idle(&self) {
        let mut news = self.news();
        while self.active.load(Ordering::Acquire) > 0 {
            let _ = tokio::time::timeout(POLL, news.changed()).await;
        }
    }
}

/// A run under way on this host, however it ends: one whose task panics gives its place back too.
struct UnderWay(Arc<Hub>);

impl UnderWay {
    fn new(hub: &Arc<Hub>) -> UnderWay {
        hub.runs.active.fetch_add(1, Ordering::AcqRel);
        UnderWay(hub.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let runs = &self.0.runs;
        runs.active.fetch_sub(1, Ordering::AcqRel);
        runs.tell();
        runs.wake();
    }
}

/// How a host comes to the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comes {
    /// No process before this one can still have runs under way: what is marked as this host's own is of a life that is over.
    Alone,
    /// One may. What such a one leaves behind is found by its silence.
    Beside,
    /// The same, and it has just handed over to this one.
    After,
}

/// Works on the queue until the host ends or hands over.
pub(crate) async fn work(hub: Arc<Hub>, comes: Comes) {
    // Side by side: a queue that waits for a lock must not make the host seem gone.
    tokio::select! {
        () = queue(&hub, comes) => {}
        () = telling(&hub, comes == Comes::After) => {}
    }
}

/// Says every few seconds that the host is there.
async fn telling(hub: &Hub, mut succeeds: bool) {
    let runs = &hub.runs;
    loop {
        // One that the database does not hear of is absent, which is what it then says of runs that wait for it.
        match within(presence::TELL, runs.presence.tell(&hub.db, succeeds)).await {
            Ok(heard) => {
                match (runs.itself.swap(heard, Ordering::AcqRel), heard) {
                    (true, false) => tracing::error!(
                        "another host has taken this one's identifier, {}: no runs are taken until it is gone; was the data \
                         folder copied? Remove `host-id` from the copy and start its host again",
                        runs.presence.host
                    ),
                    (false, true) => {
                        tracing::info!("the identifier is this host's own again: runs are taken")
                    }
                    _ => {}
                }
                succeeds = false;
                tokio::time::sleep(presence::TELL).await;
            }
            Err(error) => {
                tracing::debug!(error, "cannot say that this host is there");
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

async fn queue(hub: &Arc<Hub>, comes: Comes) {
    let runs = &hub.runs;
    let host = runs.presence.host.as_str();
    let lease = hub.limits.time(Limit::RunLease);
    // What this host began before it died.
    let mut own = (comes == Comes::Alone).then_some(host);
    let mut stage = hub.stage.watch();
    loop {
        let itself = runs.itself.load(Ordering::Acquire);
        // What another life of the identifier runs is none of this one's, and what waits is for that one to take.
        if itself {
            match within(lease, store::lose(&hub.db, own, lease + MARGIN)).await {
                Ok(0) => own = None,
                Ok(lost) => {
                    own = None;
                    tracing::warn!(lost, "runs whose host died are marked as lost");
                    runs.tell();
                }
                // The log of `Hub::follow` says so already.
                Err(_) => {}
            }
        }
        // Before what an earlier life left is settled nothing begins: it would be counted as that life's.
        let settled = itself && own.is_none();
        while settled
            && runs.active.load(Ordering::Acquire) < runs.at_once
            && hub.stage.now() == Life::Serving
        {
            // The database's word is as old as the question. One that does not come in time leaves a run that nobody begins, and
            // that is lost then.
            let asked = Instant::now();
            match within(lease, store::claim(&hub.db, host, runs.at_once)).await {
                Ok(Some(run)) => {
                    let under_way = UnderWay::new(hub);
                    tokio::spawn(async move { one(&under_way.0, run, asked).await });
                }
                Ok(None) | Err(_) => break,
            }
        }
        tokio::select! {
            () = runs.wake.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            () = stage.closing() => return,
        }
    }
}

/// A question to the database, which gets no answer for ever where the network falls silent; or why there is none.
async fn within<T>(limit: Duration, asked: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("it has not answered within {} s", limit.as_secs())),
    }
}

/// Runs what was claimed; `heard` is when the database was asked for it.
async fn one(hub: &Arc<Hub>, run: Run, heard: Instant) {
    hub.runs.tell();
    let why = std::sync::Mutex::new(None);
    let noted = || why.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // From here on, and not only while a program runs: what comes before it asks the database and the disk too.
    let stop = async {
        let reason = wanted_end(hub, &run, heard).await;
        *noted() = Some(reason);
    };
    let begun = begun(hub, &run);
    tokio::pin!(stop, begun);
    let before = tokio::select! {
        biased;
        () = &mut stop => None,
        begun = &mut begun => Some(begun),
    };
    if before.is_none() {
        // A thread may still be writing what the program would have read. Nothing is cleared away, and no other run of the
        // workspace begins, before it is done. How it ended is of no interest any more.
        let _ = tokio::time::timeout(PLANNING, begun).await;
    }
    let (state, error, lineage) = match before {
        None => {
            let (state, error) = ended(hub, Ok(End::Stopped), noted().take());
            (state, error, None)
        }
        Some(Err((state, sentence))) => (state, Some(sentence), None),
        Some(Ok((planned, fences))) => {
            let (sender, receiver) = mpsc::channel(1_000);
            let (end, ()) =
                tokio::join!(steps(hub, planned, &fences, sender, &mut stop), keep_log(hub, &run, receiver));
            let (state, error) = ended(hub, end, noted().take());
            let lineage = match run.kind {
                Kind::Dbt => lineage_of(hub, &run).await,
                Kind::Script => None,
            };
            (state, error, lineage)
        }
    };
    if run.kind == Kind::Dbt {
        let work = dbt::work_folder(&hub.data, &run.org_id, &run.workspace);
        match hub.aside(move || dbt::forget_profile(&work)).await {
            Ok(Ok(())) => {}
            Ok(Err(what)) => tracing::error!(run = run.id, what, "a profile stays in a work folder"),
            Err(problem) => tracing::error!(run = run.id, %problem, "a profile stays in a work folder"),
        }
    }
    tracing::info!(run = run.id, state = state.as_str(), error, "run ended");
    // The database may be away for a moment; a run that nobody hears of again is lost.
    for pause in [0, 1, 2, 4, 8] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        match store::finish(&hub.db, &run.id, state, error.as_deref(), lineage.as_ref()).await {
            Ok(()) => return,
            Err(error) => tracing::error!(run = run.id, %error, "cannot write how a run ended"),
        }
    }
}

/// How a run ends that does not begin: its plugin was switched off while it waited, for those that it was asked for.
async fn refusal(hub: &Arc<Hub>, run: &Run) -> Option<(State, String)> {
    let plugin = run.plugin.as_deref()?;
    let snapshot = hub.live.snapshot();
    match Switches::is_on(&hub.db, &snapshot.registry, &run.org_id, run.tenant_id.as_deref(), plugin).await {
        Ok(true) => None,
        Ok(false) => {
            let sentence = format!("vertical plugin `{plugin}` was switched off while the run waited");
            Some((State::Cancelled, sentence))
        }
        Err(error) => {
            let sentence = format!("nobody can tell whether vertical plugin `{plugin}` is still on: {error}");
            Some((State::Failed, sentence))
        }
    }
}

/// Why a program was ended.
enum Why {
    Cancelled,
    /// Another host counts this one as dead, or may by now.
    NotOurs,
    HostEnds,
    TooLong,
}

/// All that comes before the first program; how the run ends where it does not begin.
async fn begun(hub: &Arc<Hub>, run: &Run) -> Result<(dbt::Planned, Fences), (State, String)> {
    if let Some(refusal) = refusal(hub, run).await {
        return Err(refusal);
    }
    tracing::info!(run = run.id, workspace = run.workspace, "run begins");
    let failed = |sentence| (State::Failed, sentence);
    let recipe = find_for_run(hub, run.plugin.as_deref(), run.kind, &run.slug)
        .ok_or_else(|| failed(format!("there is no `{}` any more", run.slug)))?;
    let fences = Fences::new(hub, run, &recipe);
    let planned = planned(hub, run, recipe).await.map_err(failed)?;
    Ok((planned, fences))
}

/// How a run has ended: the state, and one sentence where it did not succeed.
fn ended(hub: &Hub, end: Result<End, String>, why: Option<Why>) -> (State, Option<String>) {
    match (end, why) {
        (Ok(End::Exit(Some(0))), _) => (State::Succeeded, None),
        (Ok(End::Exit(Some(code))), _) => (State::Failed, Some(format!("it ended with exit code {code}"))),
        (Ok(End::Silent), _) => {
            let lease = hub.limits.get(Limit::RunLease);
            (State::Lost, Some(format!("its host was silent for more than {lease} seconds (HUB_RUN_LEASE)")))
        }
        (Ok(End::Excess(Excess::Memory)), _) => {
            let most = Unit::Bytes.told(together(&hub.limits));
            let variable = Limit::RunMemoryTotal.about().variable;
            (
                State::Failed,
                Some(format!("its processes together took more than {most} of memory ({variable})")),
            )
        }
        (Ok(End::Excess(Excess::Processes)), _) => {
            let most = hub.limits.get(Limit::RunProcesses);
            let variable = Limit::RunProcesses.about().variable;
            (State::Failed, Some(format!("it had more than {most} processes and threads ({variable})")))
        }
        (Ok(End::Exit(None)), _) => (State::Failed, Some("a signal ended it".to_owned())),
        (Ok(End::Stopped), Some(Why::TooLong)) => {
            (State::TimedOut, Some(format!("it took longer than {} seconds", hub.runs.timeout.as_secs())))
        }
        (Ok(End::Stopped), Some(Why::HostEnds)) => {
            (State::Cancelled, Some("the host was stopped".to_owned()))
        }
        (Ok(End::Stopped), Some(Why::NotOurs)) => {
            (State::Lost, Some("its host was cut off from the database for too long".to_owned()))
        }
        (Ok(End::Stopped), _) => (State::Cancelled, None),
        (Err(sentence), _) => (State::Failed, Some(sentence)),
    }
}

/// What the run consists of, once it is known that it may work here.
async fn planned(hub: &Arc<Hub>, run: &Run, recipe: Recipe) -> Result<dbt::Planned, String> {
    let options = Options::from_json(run.options.as_ref().map(|options| options.get()))?;
    let told = |error: Error| format!("the database does not answer: {error}");
    let others = others(hub, run).await.map_err(told)?;
    let (data, about) = (hub.data.clone(), run.clone());
    let plan = move || {
        let work = dbt::work_folder(&data, &about.org_id, &about.workspace);
        dbt::plan(&dbt::Asking {
            data: &data,
            work: &work,
            recipe: &recipe,
            options: &options,
            org: &about.org_id,
            tenant: about.tenant_id.as_deref(),
            others,
        })
    };
    let planned = hub.aside(plan).await.map_err(|problem| problem.to_string())??;
    home::settle(&hub.db, &run.org_id, &run.workspace, &hub.runs.presence.host, &planned.warehouse)
        .await
        .map_err(told)??;
    Ok(planned)
}

/// How many other organisations have the run's workspace, or have had it.
async fn others(hub: &Arc<Hub>, run: &Run) -> Result<usize, Error> {
    let mut others: BTreeSet<String> =
        home::others(&hub.db, &run.org_id, &run.workspace).await?.into_iter().collect();
    others.extend(match &run.plugin {
        Some(plugin) => hub.live.snapshot().switches.orgs_with(plugin),
        None => home::orgs(&hub.db).await?,
    });
    others.remove(&run.org_id);
    Ok(others.len())
}

/// Runs one program after the other; the error is a sentence.
async fn steps(
    hub: &Arc<Hub>,
    planned: dbt::Planned,
    fences: &Fences,
    lines: mpsc::Sender<String>,
    stop: impl Future<Output = ()>,
) -> Result<End, String> {
    tokio::pin!(stop);
    for note in planned.notes {
        // Nobody listens any more: the run is ended below.
        let _ = lines.send(note).await;
    }
    let mut last = End::Exit(Some(0));
    for step in planned.steps {
        let program = step.command.get_program().to_string_lossy().into_owned();
        let cannot = |error: std::io::Error| format!("cannot run {program}: {}", reason(&error));
        let job = Job::of(&step.command).map_err(cannot)?;
        last = fences.around(job).run(lines.clone(), &mut stop).await.map_err(cannot)?;
        if last != End::Exit(Some(0)) {
            break;
        }
        if let Some(question) = step.check {
            reader::ask(hub, &planned.work, question).await?;
        }
    }
    Ok(last)
}

/// What dbt told of the run; what it did not touch keeps what was told before.
async fn lineage_of(hub: &Arc<Hub>, run: &Run) -> Option<Lineage> {
    let work = dbt::work_folder(&hub.data, &run.org_id, &run.workspace);
    let told = match reader::ask(hub, &work, Question::Lineage).await {
        Ok(told) => told?,
        Err(what) => {
            tracing::warn!(run = run.id, what, "the lineage of a run is not known");
            return None;
        }
    };
    match store::lineage(&hub.db, &run.org_id, &run.workspace).await {
        Ok(Some((earlier, kept))) => Some(told.keeping(&earlier, &kept)),
        Ok(None) => Some(told),
        Err(error) => {
            tracing::warn!(run = run.id, %error, "what earlier runs told of the lineage is not known");
            Some(told)
        }
    }
}

/// How long the answer to the next question may be waited for, after so long without one; none where others may count the host
/// as dead by now. One file has one host: nobody else takes the run over while it cannot be read.
fn patience(silent: Duration, lease: Duration, shared: bool) -> Option<Duration> {
    let left = if shared { lease.saturating_sub(silent) } else { lease };
    // A network that has fallen silent ends no question: another connection may get an answer.
    (!left.is_zero()).then(|| left.min(lease / 2))
}

/// Returns when the run has to end, with the reason. The database's last word is that of `heard`.
async fn wanted_end(hub: &Arc<Hub>, run: &Run, mut heard: Instant) -> Why {
    let mut stage = hub.stage.watch();
    let lease = hub.limits.time(Limit::RunLease);
    let shared = !matches!(hub.db, Db::Sqlite(_));
    let beating = async {
        loop {
            let asked = Instant::now();
            let Some(patience) = patience(heard.elapsed(), lease, shared) else { return Why::NotOurs };
            let alive = store::alive(&hub.db, &run.id, &hub.runs.presence.host);
            match tokio::time::timeout(patience, alive).await {
                // The database's word is as old as the question, at the most.
                Ok(Ok(Beat::GoOn)) => heard = asked,
                Ok(Ok(Beat::Cancel)) => return Why::Cancelled,
                Ok(Ok(Beat::NotOurs)) => return Why::NotOurs,
                // A database that is away for a moment ends no run.
                Ok(Err(_)) | Err(_) => {}
            }
            let left = lease.saturating_sub(heard.elapsed());
            tokio::time::sleep(if shared { left.min(BEAT) } else { BEAT }).await;
        }
    };
    tokio::select! {
        why = beating => why,
        () = stage.ending() => Why::HostEnds,
        () = tokio::time::sleep(hub.runs.timeout) => Why::TooLong,
    }
}

/// Writes the lines down as they come. While the database is away, the program goes on: what waits is bounded.
async fn keep_log(hub: &Arc<Hub>, run: &Run, mut lines: mpsc::Receiver<String>) {
    let mut log = Log::new(hub.limits.size(Limit::RunLogBytes));
    let mut seq = 0;
    let mut patience = LAST_WORDS;
    let mut open = true;
    loop {
        let pause = tokio::time::sleep(FLUSH);
        tokio::pin!(pause);
        while open {
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) => log.add(&line),
                    None => {
                        open = false;
                        log.close();
                    }
                },
                () = &mut pause => break,
            }
        }
        let Some(chunk) = log.next(CHUNK) else { if open { continue } else { return } };
        let length = chunk.len();
        match store::log(&hub.db, &run.id, seq + 1, chunk).await {
            Ok(()) => {
                seq += 1;
                log.written(length);
                hub.runs.tell();
            }
            // Kept for the next time. After the end there is not one for ever.
            Err(error) if !open && patience == 0 => {
                tracing::error!(run = run.id, %error, "the end of a run's log is lost");
                return;
            }
            Err(error) => {
                tracing::error!(run = run.id, %error, "cannot write a run's log");
                patience -= u32::from(!open);
                tokio::time::sleep(BEAT).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s13_a_run_is_given_up_before_others_may_take_it() {
        let lease = Duration::from_secs(40);
        let after = |seconds, shared| patience(Duration::from_secs(seconds), lease, shared);
        assert_eq!(after(0, true), Some(Duration::from_secs(20)));
        assert_eq!(after(30, true), Some(Duration::from_secs(10)));
        assert_eq!((after(40, true), after(400, true)), (None, None));
        assert_eq!(after(400, false), Some(Duration::from_secs(20)));
    }
}
