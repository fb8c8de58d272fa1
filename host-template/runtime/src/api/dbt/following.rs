//! Following a run: its log and its state as they come, `/api/dbt/runs/{id}/events`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::{Read, find};
use crate::access::{Allowed, Permission, Watch};
use crate::ctx::Ctx;
use crate::extract::Path;
use crate::page::fitting;
use crate::problem::Result;
use crate::purse::Held;
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
    let following = Following { ctx, org, id: run.id, seq: 0, state: None, ready, held: None, _open: open };
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
        let run = store::find(db, &self.org, &self.id).await.ok()??;
        let sizes = store::log_sizes(db, &self.id, self.seq).await.ok()?;
        let chunks = if sizes.is_empty() {
            Vec::new()
        } else {
            store::log_after(db, &self.id, self.seq, fitting(AT_ONCE, &sizes)).await.ok()?
        };
        if let Some(last) = chunks.last() {
            let json = |chunk: &Chunk| serde_json::to_string(chunk).unwrap_or_default();
            let ready: VecDeque<String> = chunks.iter().map(json).collect();
            // Where there is no memory for them, they have to wait.
            self.held = Some(self.ctx.hub().answers.take(ready.iter().map(String::len).sum())?);
            (self.seq, self.ready) = (last.seq, ready);
            return self.ready.pop_front().map(log);
        }
        if self.state == Some(run.state) {
            return None;
        }
        self.state = Some(run.state);
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
    use crate::testing::Running;

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
