//! Connections on which a whole answer can be put in another's place, byte for byte.
//!
//! hyper writes sound HTTP only, and some faults are unsound: a body shorter than announced, an end without an end, a
//! connection that breaks. So the listener hands out connections that hyper writes to as ever, and each has a [`Line`] that
//! the handlers see: a [`Script`] left there is played instead of the next answer, and then the connection is gone.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// What is sent in place of an answer; the connection ends after it.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// The bytes, in pieces.
    pub(super) pieces: VecDeque<Bytes>,
    /// How long to wait before each piece but the first.
    pub(super) pause: Duration,
    /// End with a reset instead of a close.
    pub(super) reset: bool,
}

/// The handlers' side of a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Arc<Mutex<Option<Script>>>);

impl Line {
    /// Plays this instead of the next answer.
    pub(super) fn play(&self, script: Script) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(script);
    }

    fn take(&self) -> Option<Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Connected<IncomingStream<'_, Wires>> for Line {
    fn connect_info(stream: IncomingStream<'_, Wires>) -> Self {
        stream.io().line.clone()
    }
}

/// A listener whose connections have lines.
#[derive(Debug)]
pub(super) struct Wires(pub(super) TcpListener);

impl Listener for Wires {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (stream, addr) = Listener::accept(&mut self.0).await;
        // Small answers come at once; what the system says to the contrary doesn't matter.
        let _ = stream.set_nodelay(true);
        (Wire { stream, line: Line::default(), playing: None, pause: None }, addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    line: Line,
    playing: Option<Script>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    /// Sends what is left of the script, then fails, so that hyper lets go of the connection.
    fn poll_script(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(script) = &mut self.playing else { return Poll::Ready(io::ErrorKind::BrokenPipe.into()) };
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let Some(piece) = script.pieces.front_mut() else { break };
            match ready!(Pin::new(&mut self.stream).poll_write(cx, piece)) {
                Ok(sent) if sent < piece.len() => *piece = piece.slice(sent..),
                Ok(_) => {
                    script.pieces.pop_front();
                    if !script.pause.is_zero() && !script.pieces.is_empty() {
                        self.pause = Some(Box::pin(tokio::time::sleep(script.pause)));
                    }
                }
                Err(error) => return Poll::Ready(error),
            }
        }
        if script.reset {
            let _ = self.stream.set_zero_linger();
            return Poll::Ready(io::ErrorKind::ConnectionReset.into());
        }
        match ready!(Pin::new(&mut self.stream).poll_shutdown(cx)) {
            Ok(()) => Poll::Ready(io::ErrorKind::BrokenPipe.into()),
            Err(error) => Poll::Ready(error),
        }
    }

    fn is_playing(&mut self) -> bool {
        if self.playing.is_none() {
            self.playing = self.line.take();
        }
        self.playing.is_some()
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_playing() { this.poll_script(cx).map(Err) } else { Pin::new(&mut this.stream).poll_write(cx, buf) }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_playing() { this.poll_script(cx).map(Err) } else { Pin::new(&mut this.stream).poll_write_vectored(cx, bufs) }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
