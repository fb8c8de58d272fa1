//! Bodies of requests and answers on their way through a connection: what they may cost, and how long they may take.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use hyper::body::{Frame, Incoming, SizeHint};

use super::door::{Conn, Counted, Phase};
use super::pace::{Pace, Patience};
use crate::problem::Problem;
use crate::purse::{Held, Purse, busy};

/// Bytes of a body that cost nothing: most requests have no more.
const FREE: usize = 16 * 1024;
/// What a part of a body costs at least: a chunk of one byte takes more than that.
const FRAME: usize = 64;
/// Bytes of a body that are put together before a handler sees them, where they are there.
const TOGETHER: usize = 16 * 1024;
/// Bytes of an answer that are given to a connection at once; the next ones when these are written.
const PIECE: usize = 64 * 1024;

/// A request with a body, until it is answered.
pub(super) struct Upload {
    failed: AtomicU8,
    held: Mutex<Option<Held>>,
}

const LATE: u8 = 1;
const FULL: u8 = 2;
const LARGE: u8 = 3;

impl Upload {
    pub(super) fn new() -> Arc<Upload> {
        Arc::new(Upload { failed: AtomicU8::new(0), held: Mutex::new(None) })
    }

    /// The answer where the body could not be read, in place of what a handler says that got no body.
    pub(super) fn failure(&self) -> Option<Problem> {
        match self.failed.load(Ordering::Relaxed) {
            LATE => Some(
                Problem::new(StatusCode::REQUEST_TIMEOUT)
                    .code("body-too-slow")
                    .detail("the body of the request came too slowly, or stopped coming"),
            ),
            FULL => Some(busy("the host holds as many bodies of requests as it may")),
            LARGE => Some(
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE)
                    .detail("the body is larger than all bodies together may be (HUB_BODIES_MEMORY)"),
            ),
            _ => None,
        }
    }

    /// Whether the memory for so many more bytes is there.
    fn pay(&self, purse: &Arc<Purse>, bytes: usize) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *held {
            Some(held) => held.more(bytes),
            None => {
                *held = purse.take(bytes);
                held.is_some()
            }
        }
    }
}

/// Why a body ends before its end.
#[derive(Debug)]
struct Cut(u8);

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 == LATE {
            "the body came too slowly"
        } else {
            "there is no memory for the body"
        })
    }
}

impl std::error::Error for Cut {}

/// The body of a request: not slower than it may be, in pieces that are worth their cost.
pub(super) struct Received {
    body: Incoming,
    conn: Arc<Conn>,
    upload: Arc<Upload>,
    purse: Arc<Purse>,
    pace: Pace,
    seen: usize,
    /// A part that did not go together with the one before: trailers.
    next: Option<Frame<Bytes>>,
}

impl Received {
    pub(super) fn new(
        body: Incoming,
        conn: Arc<Conn>,
        upload: Arc<Upload>,
        purse: Arc<Purse>,
        patience: Patience,
    ) -> Received {
        Received { body, conn, upload, purse, pace: Pace::new(patience), seen: 0, next: None }
    }

    fn fail(&self, why: u8) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.upload.failed.store(why, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new(Cut(why)))))
    }

    fn pay(&mut self, bytes: usize) -> bool {
        let before = self.seen;
        self.seen = self.seen.saturating_add(bytes.max(FRAME));
        self.seen <= FREE || self.upload.pay(&self.purse, self.seen - before.max(FREE))
    }

    /// Why it could not pay for what it has seen: one that waits for more than there is would wait for ever.
    fn short(&self) -> u8 {
        if self.purse.has_ever(self.seen.saturating_sub(FREE)) { FULL } else { LARGE }
    }
}

impl Drop for Received {
    /// A handler that has read enough works on.
    fn drop(&mut self) {
        if self.conn.phase() == Phase::Body {
            self.conn.enter(Phase::Working);
        }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if let Some(frame) = this.next.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let mut together: Vec<u8> = Vec::new();
        loop {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        this.pace.went(data.len());
                        if this.conn.phase() == Phase::Body {
                            this.conn.enter(Phase::Working);
                        }
                        if together.is_empty() && data.len() >= TOGETHER / 4 {
                            if !this.pay(data.len()) {
                                return this.fail(this.short());
                            }
                            return Poll::Ready(Some(Ok(Frame::data(data))));
                        }
                        together.extend_from_slice(&data);
                        if together.len() >= TOGETHER {
                            break;
                        }
                    }
                    Err(trailers) if together.is_empty() => return Poll::Ready(Some(Ok(trailers))),
                    Err(trailers) => {
                        this.next = Some(trailers);
                        break;
                    }
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(axum::Error::new(error)))),
                Poll::Ready(None) if together.is_empty() => return Poll::Ready(None),
                Poll::Pending if together.is_empty() => {
                    if this.conn.phase() == Phase::Working {
                        this.conn.enter(Phase::Body);
                    }
                    return if this.pace.stuck(cx) { this.fail(LATE) } else { Poll::Pending };
                }
                // What is there is enough for now; the rest is asked for again.
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if !this.pay(together.len()) {
            return this.fail(this.short());
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(together)))))
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer. What it holds is given back when the connection has taken all of it.
pub(super) struct Answered {
    body: Body,
    rest: Bytes,
    conn: Arc<Conn>,
    _held: Option<Held>,
    counted: Option<Counted>,
    upgraded: bool,
}

impl Answered {
    pub(super) fn new(
        body: Body,
        conn: Arc<Conn>,
        held: Option<Held>,
        counted: Option<Counted>,
        upgraded: bool,
    ) -> Answered {
        Answered { body, rest: Bytes::new(), conn, _held: held, counted, upgraded }
    }
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            match frame.into_data() {
                Ok(data) if data.len() > PIECE => this.rest = data,
                Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let piece = this.rest.split_to(PIECE.min(this.rest.len()));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() {
            return self.body.size_hint();
        }
        let (rest, mut hint) = (self.rest.len() as u64, self.body.size_hint());
        match hint.upper() {
            Some(upper) => hint.set_upper(upper + rest),
            None => {}
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        if !self.upgraded {
            return self.conn.enter(Phase::Idle);
        }
        self.conn.enter(Phase::Upgraded);
        if let Some(counted) = self.counted.take() {
            self.conn.keep(counted);
        }
    }
}
