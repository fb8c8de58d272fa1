//! Following a run: its log and its state as they come, `/api/dbt/runs/{id}/events`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::{Read, find, waiting};
use crate::access::{Allowed, Permission};
use crate::ctx::Ctx;
use crate::extract::Path;
use crate::gate::Watch;
use crate::problem::Result;
use crate::purse::Held;
use crate::rows::fitting;
use crate::runs::State;
use crate::runs::store::{self, Chunk};
use crate::streams::Open;

/// How often a run on another host is looked at.
const LOOK: Duration = Duration::from_millis(700);

/// Bytes of a log that a stream reads at a time: as many as a chunk has at most, unless it is a single line.
const AT_ONCE: u64 = 64 << 10;

/// What a stream of a run says next.
struct Following {
    ctx: Ctx,
    org: String,
    id: String,
    /// Number of the last chunk that was read.
    seq: u64,
    state: Option<State>,
    /// What it was said to wait for.
    waiting: Option<String>,
    /// Chunks that were read together and are not sent yet, as JSON.
    ready: VecDeque<String>,
    /// What they and the message that is being sent hold.
    held: Option<Held>,
    /// Counts the stream while it is open.
    _open: Open,
}

/// The run as a stream: `log` for each part of its log, `state` for each change, `end` when nothing follows.
pub(super) async fn events(ctx: Ctx, caller: Allowed<Read>, Path(id): Path<String>) -> Result<Response> {
    let run = find(&ctx, &caller, &id).await?;
    let watch = Watch::new(&ctx, &caller, Some(<Read as Permission>::NAME));
    let open = ctx.hub().streams.open(&caller, &ctx.hub().limits)?;
    let org = caller.org().id.clone();
    let ready = VecDeque::new();
    let (state, waiting) = (None, None);
    let following =
        Following { ctx, org, id: run.id, seq: 0, state, waiting, ready, held: None, _open: open };
    let stream = stream::unfold(Some((following, watch)), |state| async move {
        let (mut following, mut watch) = state?;
        let mut news = following.ctx.hub().runs.news();
        let mut stage = following.ctx.hub().stage.watch();
        following.taken();
        loop {
            if following.state.is_some_and(State::is_final) {
                return Some((Ok::<_, Infallible>(Message::default().event("end").data("{}")), None));
            }
            if !watch.holds().await {
                return None;
            }
            if let Some(message) = following.look().await {
                return Some((Ok(message), Some((following, watch))));
            }
            tokio::select! {
                _ = news.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = stage.closing() => return None,
                // Whoever may not read it any more reads no further line.
                () = watch.ended() => return None,
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))).into_response())
}

impl Following {
    /// Whoever asks for the next message has taken the last one: what is left holds what is ready.
    fn taken(&mut self) {
        let left: usize = self.ready.iter().map(String::len).sum();
        self.held = self.held.take().filter(|_| left > 0);
        if let Some(held) = &mut self.held {
            held.settle(left);
        }
    }

    /// What is new, a chunk of the log or the state: one message at a time, as slowly as the client takes them. The state is
    /// looked at first and told last, so that no part of the log is missed once it is final. Small chunks are read together, and
    /// sent one by one all the same: a client knows by their numbers what it has already, wherever its last stream ended.
    async fn look(&mut self) -> Option<Message> {
        let log = |json: String| Message::default().event("log").data(json);
        if let Some(json) = self.ready.pop_front() {
            return Some(log(json));
        }
        let db = self.ctx.db();
        // A database that is away for a moment has no news.
        let mut run = store::find(db, &self.org, &self.id).await.ok()??;
        waiting(&self.ctx, &self.org, std::iter::once(&mut run)).await.ok()?;
        let sizes = store::log_sizes(db, &self.id, self.seq).await.ok()?;
        if !sizes.is_empty() {
            let few = fitting(AT_ONCE, &sizes);
            // Where there is no memory for them, they have to wait, and are not read; one that is larger than all there is takes all.
            let mut held = self.ctx.hub().answers.ask(sizes.iter().take(few as usize).sum()).ok()?;
            let chunks = store::log_after(db, &self.id, self.seq, few).await.ok()?;
            let last = chunks.last()?.seq;
            let json = |chunk: &Chunk| serde_json::to_string(chunk).unwrap_or_default();
            let ready: VecDeque<String> = chunks.iter().map(json).collect();
            if !held.settle(ready.iter().map(String::len).sum()) {
                // They are longer as JSON.
                return None;
            }
            (self.held, self.seq, self.ready) = (Some(held), last, ready);
            return self.ready.pop_front().map(log);
        }
        if self.state == Some(run.state) && self.waiting == run.waiting {
            return None;
        }
        self.state = Some(run.state);
        self.waiting.clone_from(&run.waiting);
        Some(Message::default().event("state").data(serde_json::to_string(&run).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::BodyDataStream;
    use futures_util::StreamExt;
    use hub_manifest::limits::Limit;

    use super::super::tests::logged;
    use super::*;
    use crate::args;
    use crate::testing::{App, Running};

    fn follow(app: &Running) -> BodyDataStream {
        app.begin("/api/dbt/runs/r/events").into_body().into_data_stream()
    }

    fn next(app: &Running, stream: &mut BodyDataStream) -> Option<String> {
        app.wait(stream.next()).map(|part| String::from_utf8(part.unwrap().to_vec()).unwrap())
    }

    // S14
    #[test]
    fn s14_a_stream_has_one_part_of_a_log_in_hand_and_pays_for_it() {
        let app = logged(30, 100_000);
        let answers = app.hub().answers.clone();
        let all = usize::try_from(app.hub().limits.get(Limit::AnswersMemory)).unwrap();
        let rest = answers.take(all - 150_000).unwrap();
        let mut first = follow(&app);
        assert!(next(&app, &mut first).unwrap().contains("event: log"));
        assert!(answers.take(100_000).is_none(), "what is not sent yet is counted");
        // There is no memory for a second one: it waits, and comes to its end once the first is gone.
        let mut second = follow(&app);
        assert!(app.wait(async { tokio::time::timeout(LOOK / 2, second.next()).await }).is_err());
        drop(first);
        let mut names = Vec::new();
        while let Some(text) = next(&app, &mut second) {
            assert!(text.len() < 110_000, "{}", text.len());
            names.extend(text.lines().find_map(|line| line.strip_prefix("event: ")).map(str::to_owned));
        }
        assert_eq!(names.iter().filter(|name| *name == "log").count(), 30);
        assert_eq!(names[30..], ["state", "end"]);
        drop((second, rest));
        assert!(answers.take(all).is_some());
    }

    // D8
    #[test]
    fn d8_a_stream_says_what_a_queued_run_waits_for() {
        let app = App::new("demo").start();
        let sql = |sql: &'static str| app.wait(app.db().execute(sql, args![])).unwrap();
        sql("INSERT INTO hub_runs (id, org_id, kind, slug, workspace, state, requested_by, created_at)
             SELECT 'r', id, 'script', 's', 'w', 'queued', 'ann@example.com', '2026-01-01T00:00:00Z' FROM hub_orgs");
        sql("INSERT INTO hub_warehouses (org_id, workspace, adapter, own_profile, host, since)
             SELECT id, 'w', 'duckdb', FALSE, 'h-1', '2026-01-01T00:00:00Z' FROM hub_orgs");
        sql("INSERT INTO hub_hosts (id, name, seen_at)
             VALUES ('h-1', 'north', '2026-01-01T00:00:00.000Z'), ('h-2', 'south', '9999-01-01T00:00:00.000Z')");
        let mut stream = follow(&app);
        let text = next(&app, &mut stream).unwrap();
        assert!(
            text.contains("event: state") && text.contains("`north`") && text.contains("was last seen at"),
            "{text}"
        );
        sql("UPDATE hub_hosts SET seen_at = '9999-01-01T00:00:00.000Z'");
        let text = next(&app, &mut stream).unwrap();
        assert!(text.contains("waits for its turn on the host `north`"), "{text}");
        // One that is alone is waited for by whoever waits.
        sql("DELETE FROM hub_hosts WHERE id = 'h-2'");
        assert!(next(&app, &mut stream).unwrap().contains("\"waiting\":null"));
        sql("UPDATE hub_runs SET state = 'cancelled'");
        assert!(next(&app, &mut stream).unwrap().contains("\"cancelled\""));
        assert!(next(&app, &mut stream).unwrap().contains("event: end"));
    }

    // S14
    #[test]
    fn s14_a_part_of_a_log_that_is_larger_than_all_memory_for_answers_takes_all_of_it_once() {
        let app = logged(1, 33 << 20);
        let answers = app.hub().answers.clone();
        let all = usize::try_from(app.hub().limits.get(Limit::AnswersMemory)).unwrap();
        assert!(all < 33 << 20);
        let mut stream = follow(&app);
        let text = next(&app, &mut stream).unwrap();
        assert!(text.contains("event: log") && text.len() > 33 << 20, "{}", text.len());
        assert!(answers.take(1).is_none(), "it has all there is");
        assert!(next(&app, &mut stream).unwrap().contains("event: state"));
        assert!(answers.take(all).is_some());
    }

    // S14
    #[test]
    fn s14_small_parts_of_a_log_are_read_together_and_sent_one_by_one() {
        let app = logged(300, 10);
        let answers = app.hub().answers.clone();
        let all = usize::try_from(app.hub().limits.get(Limit::AnswersMemory)).unwrap();
        let mut stream = follow(&app);
        assert!(next(&app, &mut stream).unwrap().contains("\"seq\":1,"));
        // 200 of them are in hand, and paid for.
        assert!(answers.take(all - 200 * 10).is_none());
        app.wait(app.db().execute("DELETE FROM hub_run_logs WHERE seq <= 200", args![])).unwrap();
        for seq in 2..=300 {
            let text = next(&app, &mut stream).unwrap();
            assert!(
                text.contains("event: log") && text.contains(&format!("\"seq\":{seq},")),
                "{seq}: {text}"
            );
        }
        assert!(next(&app, &mut stream).unwrap().contains("event: state"));
        assert!(answers.take(all).is_some());
    }
}
