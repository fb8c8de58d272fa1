//! A connection's bytes: a head that comes too slowly, an answer that nobody takes, and a long silence end it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::door::{Phase, Place};
use super::pace::{Pace, Patience};

/// The stream, with its place at the door.
pub(super) struct Line {
    stream: TcpStream,
    place: Place,
    /// One timer for all silences of the connection: it looks how long the present one has lasted when it fires.
    silence: Pin<Box<Sleep>>,
    idle: Duration,
    head: Pace,
    send: Pace,
    sending: bool,
}

impl Line {
    pub(super) fn new(
        stream: TcpStream,
        place: Place,
        idle: Duration,
        head: Duration,
        send: Patience,
    ) -> Line {
        // No byte of a head buys more time for the rest of it.
        let head = Pace::new(Patience { grace: head, rate: u64::MAX });
        let silence = Box::pin(tokio::time::sleep(idle));
        Line { stream, place, silence, idle, head, send: Pace::new(send), sending: false }
    }

    /// Whether nothing has come for too long. Asked whenever nothing comes, whatever the connection is about: it may fall
    /// silent without being read from again.
    fn silent(&mut self, cx: &mut Context<'_>) -> bool {
        while self.silence.as_mut().poll(cx).is_ready() {
            let idle = self.place.conn.phase() == Phase::Idle;
            let waited = if idle { self.place.conn.waited() } else { Duration::ZERO };
            let Some(left) = self.idle.checked_sub(waited).filter(|left| !left.is_zero()) else {
                return true;
            };
            // Requests have come since it was set.
            self.silence.as_mut().reset(Instant::now() + left);
        }
        false
    }

    fn write(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match done {
            Poll::Ready(Ok(bytes)) => {
                if self.sending {
                    self.send.went(bytes);
                }
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(error) => Poll::Ready(error),
            Poll::Pending => {
                if !self.sending {
                    self.sending = true;
                    self.place.conn.block(true);
                }
                if self.send.stuck(cx) {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Pending
            }
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match self.place.conn.phase() {
            Phase::Idle if buffer.filled().len() > before => {
                self.head.again();
                self.place.conn.enter(Phase::Head);
            }
            Phase::Head if done.is_pending() && self.head.stuck(cx) => {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            _ if done.is_pending() && self.silent(cx) => {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            _ => {}
        }
        done
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.write(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.write(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Comes when all that there was has been written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.sending {
            self.sending = false;
            self.send.again();
            self.place.conn.block(false);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
