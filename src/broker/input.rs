//! What a connection reads into: buffers that are lent for as long as a read takes, so that ten thousand connections
//! that wait own none, and a busy thread reads into memory that its cache still has.
//!
//! Start at [`Input::read`].

use std::{cell::Cell, future::poll_fn, io, pin::pin, task::Poll};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    task::yield_now,
};

/// The most that one read takes.
const READ_BYTES: usize = 256 * 1024;
/// Reads in a row before others have a turn.
const READS_IN_A_ROW: u32 = 4;
/// The beginning of a packet up to this size is copied to the buffer that the rest of it is read into. A longer one keeps
/// its own, which grows with what has come.
const SHORT: usize = 16 * 1024;

thread_local! {
    /// What the last to read on this thread has given back.
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

fn lend() -> BytesMut {
    let mut buffer = SPARE.take().unwrap_or_default();
    buffer.clear();
    // Takes its whole memory back, if no payload lies in it any more.
    buffer.reserve(READ_BYTES);
    buffer
}

fn give_back(buffer: BytesMut) {
    SPARE.set(Some(buffer));
}

/// One connection's incoming bytes.
#[derive(Debug)]
pub(super) struct Input<R> {
    reader: R,
    /// The beginning of a packet whose rest has not come.
    begun: BytesMut,
    /// Reads since one had to wait.
    in_a_row: u32,
}

impl<R: AsyncRead + Unpin> Input<R> {
    pub(super) fn new(reader: R, begun: BytesMut) -> Self {
        Self { reader, begun, in_a_row: 0 }
    }

    /// What has come so far, without reading.
    pub(super) fn begun(&mut self) -> BytesMut {
        std::mem::take(&mut self.begun)
    }

    /// Lets other connections of the same thread have a turn, those among them that are to be written what was read,
    /// once enough has been read here without waiting.
    pub(super) async fn give_way(&mut self) {
        if self.in_a_row >= READS_IN_A_ROW {
            self.in_a_row = 0;
            yield_now().await;
        }
    }

    /// Waits for bytes; returns them behind those that were kept, and how many are new: 0 at the end of the stream.
    /// May be dropped while it waits.
    pub(super) async fn read(&mut self) -> io::Result<(BytesMut, usize)> {
        poll_fn(|context| {
            self.in_a_row += 1;
            if self.begun.len() > SHORT {
                self.begun.reserve(self.begun.len().min(READ_BYTES));
                let read = pin!(self.reader.read_buf(&mut self.begun)).poll(context);
                if read.is_pending() {
                    self.in_a_row = 0;
                }
                return read.map_ok(|read| (std::mem::take(&mut self.begun), read));
            }
            let mut buffer = lend();
            buffer.extend_from_slice(&self.begun);
            let read = pin!(self.reader.read_buf(&mut buffer)).poll(context);
            match read {
                Poll::Ready(Ok(read)) => {
                    self.begun = BytesMut::new();
                    Poll::Ready(Ok((buffer, read)))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.in_a_row = 0;
                    give_back(buffer);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Takes a buffer back whose packets were handled, but for the beginning of one.
    pub(super) fn keep(&mut self, buffer: BytesMut) {
        if buffer.len() > SHORT {
            self.begun = buffer;
            return;
        }
        self.begun = BytesMut::from(&buffer[..]);
        give_back(buffer);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sent_comes_whole_however_it_is_cut_and_consumed(
            chunks in prop::collection::vec((1usize..60_000, 0usize..100_000), 1..12),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let (mut far, near) = tokio::io::duplex(1 << 20);
                let mut input = Input::new(near, BytesMut::from(&b"begun"[..]));
                let (mut sent, mut got, mut next) = (b"begun".to_vec(), Vec::<u8>::new(), 0u8);
                for (length, consumed) in chunks {
                    let chunk: Vec<u8> = (0..length).map(|_| { next = next.wrapping_add(1); next }).collect();
                    far.write_all(&chunk).await.unwrap();
                    sent.extend(&chunk);
                    let (mut buffer, read) = input.read().await.unwrap();
                    prop_assert!(read > 0);
                    let consumed = consumed.min(buffer.len());
                    got.extend(&buffer.split_to(consumed));
                    input.keep(buffer);
                }
                drop(far);
                loop {
                    let (buffer, read) = input.read().await.unwrap();
                    got.extend(&buffer);
                    if read == 0 { break }
                }
                prop_assert_eq!(got, sent);
                Ok(())
            })?;
        }
    }

    #[tokio::test]
    async fn a_connection_that_waits_owns_no_buffer() {
        let (mut far, near) = tokio::io::duplex(1024);
        let mut input = Input::new(near, BytesMut::new());
        {
            let mut read = pin!(input.read());
            assert!(futures_pending(&mut read).await);
        }
        assert_eq!(input.begun.capacity(), 0);
        far.write_all(b"abc").await.unwrap();
        let (buffer, _) = input.read().await.unwrap();
        input.keep(buffer);
        assert_eq!((&input.begun[..], input.begun.capacity()), (&b"abc"[..], 3));
    }

    async fn futures_pending(future: &mut (impl Future + Unpin)) -> bool {
        poll_fn(|context| Poll::Ready(pin!(&mut *future).poll(context).is_pending())).await
    }
}
