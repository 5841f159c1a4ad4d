//! What readers send: some megabytes of rows, as the database gave them.

use super::state::Bound;
use crate::error::Result;
use cscopilot_decode::database::Rows;
use tokio::sync::mpsc;

/// The size that a piece has, unless a row is longer.
pub(crate) const PIECE_BYTES: usize = 4 << 20;
/// A piece has no more rows than this.
pub(crate) const PIECE_ROWS: usize = 64 * 1024;

/// Some rows in the order of the read.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) rows: Rows,
    /// Whether these are the rows without a cursor.
    pub(crate) stray: bool,
    /// The cursor of the last row.
    pub(crate) last: Option<Bound>,
    /// Whether a window ends here.
    pub(crate) closes: bool,
}

/// Where a reader sends its pieces. It counts windows, so that all readers cut them alike.
pub(crate) struct Sink {
    sender: mpsc::Sender<Result<Piece>>,
    window_rows: u64,
    in_window: u64,
    /// Whether windows matter: a full read is one commit.
    windows: bool,
}

impl Sink {
    pub(crate) fn new(sender: mpsc::Sender<Result<Piece>>, window_rows: u64, windows: bool) -> Self {
        Self { sender, window_rows, in_window: 0, windows }
    }

    /// Counts a row; whether the open window is full with it.
    pub(crate) fn count(&mut self, rows: u64) -> bool {
        self.in_window += rows;
        self.windows && self.in_window >= self.window_rows
    }

    /// Sends rows; whether anyone still listens.
    pub(crate) async fn send(&mut self, rows: Rows, last: Option<Bound>) -> bool {
        let piece = self.piece(rows, last);
        self.sender.send(Ok(piece)).await.is_ok()
    }

    /// The same from a thread that may block.
    pub(crate) fn send_blocking(&mut self, rows: Rows, last: Option<Bound>) -> bool {
        let piece = self.piece(rows, last);
        self.sender.blocking_send(Ok(piece)).is_ok()
    }

    /// Sends rows that have no cursor; whether anyone still listens.
    pub(crate) async fn stray(&self, rows: Rows) -> bool {
        self.sender.send(Ok(Piece { rows, stray: true, last: None, closes: false })).await.is_ok()
    }

    /// The same from a thread that may block.
    pub(crate) fn stray_blocking(&self, rows: Rows) -> bool {
        self.sender.blocking_send(Ok(Piece { rows, stray: true, last: None, closes: false })).is_ok()
    }

    fn piece(&mut self, rows: Rows, last: Option<Bound>) -> Piece {
        let closes = self.windows && self.in_window >= self.window_rows;
        if closes {
            self.in_window = 0;
        }
        Piece { rows, stray: false, last, closes }
    }
}
