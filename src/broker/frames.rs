//! MQTT's bytes inside WebSocket frames (RFC 6455, MQTT 5 section 6): a stream of bytes to whoever reads and writes it.
//!
//! A packet may span frames, and a frame hold several packets (MQTT-6.0.0-2), so nothing is put together here: what
//! arrived of a frame goes on at once, and a frame of any length costs no more memory than a short one. Text ends the
//! connection with 1003 (MQTT-6.0.0-1); so does, with 1002, what RFC 6455 forbids. Start at [`Framed::poll_read`].

use std::{
    io::{self, Cursor},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};
use tokio_util::io::poll_read_buf;

/// What an idle connection keeps for reading, and what a busy one grows to.
const READ: (usize, usize) = (4 * 1024, 64 * 1024);
/// The longest frame that we send; also what is buffered for a socket that takes nothing.
const FRAME: usize = 64 * 1024;
/// The payload of a control frame is never longer (RFC 6455, 5.5).
const CONTROL: u64 = 125;

/// Status codes of RFC 6455, 7.4.1.
const NORMAL: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;
const UNSUPPORTED: u16 = 1003;

/// See the module. The server's side.
#[derive(Debug)]
pub(super) struct Framed<S> {
    socket: S,
    /// Read and not yet understood.
    raw: BytesMut,
    frame: Frame,
    /// A message was begun whose last frame has not come.
    in_message: bool,
    /// Framed and not yet taken by the socket.
    outgoing: BytesMut,
    /// The answer to the newest ping: older ones need none (RFC 6455, 5.5.3).
    pong: Option<Vec<u8>>,
    /// Our close frame: to be sent, or sent.
    closing: Closing,
    /// The peer has said that it sends no more.
    ended: bool,
    /// How much is read next.
    room: usize,
    /// The socket is full, and wakes the task that writes when it is not: the one that reads must not ask it again,
    /// or it would be woken instead.
    writer_waits: bool,
}

/// Where in the stream of frames the reader is.
#[derive(Debug)]
enum Frame {
    Header,
    Data { left: u64, mask: [u8; 4], at: usize },
    Control { kind: Control, length: usize, mask: [u8; 4] },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    With(u16),
    Sent,
}

fn unmask(bytes: &mut [u8], mask: [u8; 4], at: usize) {
    let mask: [u8; 4] = std::array::from_fn(|index| mask[(at + index) % 4]);
    let wide = u32::from_ne_bytes(mask);
    let (words, rest) = bytes.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Framed<S> {
    /// Over a socket whose upgrade is done.
    pub(super) fn new(socket: S) -> Self {
        Self {
            socket,
            raw: BytesMut::new(),
            frame: Frame::Header,
            in_message: false,
            outgoing: BytesMut::new(),
            pong: None,
            closing: Closing::No,
            ended: false,
            room: READ.0,
            writer_waits: false,
        }
    }

    /// The peer broke the rules: it is told, and nothing more is read.
    fn refuse(&mut self, code: u16, text: &'static str) -> io::Error {
        self.close(code);
        self.ended = true;
        io::Error::new(io::ErrorKind::InvalidData, text)
    }

    fn close(&mut self, code: u16) {
        if self.closing == Closing::No {
            self.closing = Closing::With(code);
        }
    }

    /// Reads a header, where it is complete.
    fn begin_frame(&mut self) -> io::Result<bool> {
        let mut cursor = Cursor::new(&self.raw[..]);
        let parsed = FrameHeader::parse(&mut cursor);
        let read = cursor.position() as usize;
        let Ok(parsed) = parsed else {
            return Err(self.refuse(PROTOCOL_ERROR, "a WebSocket frame of an unknown kind"));
        };
        let Some((header, length)) = parsed else { return Ok(false) };
        self.raw.advance(read);
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(
                self.refuse(PROTOCOL_ERROR, "a WebSocket frame of an extension that was not agreed on")
            );
        }
        let Some(mask) = header.mask else {
            return Err(self.refuse(PROTOCOL_ERROR, "a WebSocket frame that is not masked"));
        };
        self.frame = match header.opcode {
            OpCode::Control(kind) => {
                if !header.is_final || length > CONTROL {
                    return Err(self.refuse(PROTOCOL_ERROR, "a WebSocket control frame too long or in parts"));
                }
                Frame::Control { kind, length: length as usize, mask }
            }
            OpCode::Data(Data::Text) => {
                return Err(
                    self.refuse(UNSUPPORTED, "MQTT over WebSocket is binary, and this is a text frame")
                );
            }
            OpCode::Data(kind) => {
                if (kind == Data::Continue) != self.in_message || matches!(kind, Data::Reserved(_)) {
                    return Err(self.refuse(PROTOCOL_ERROR, "a WebSocket frame out of its order"));
                }
                self.in_message = !header.is_final;
                Frame::Data { left: length, mask, at: 0 }
            }
        };
        Ok(true)
    }

    /// Does what a control frame asks for.
    fn control(&mut self, kind: Control, payload: &[u8]) -> io::Result<()> {
        match kind {
            Control::Ping => self.pong = Some(payload.to_vec()),
            Control::Pong => {}
            Control::Close => {
                let code = payload.first_chunk().map_or(NORMAL, |code| u16::from_be_bytes(*code));
                self.close(code);
                self.ended = true;
            }
            Control::Reserved(_) => {
                return Err(self.refuse(PROTOCOL_ERROR, "a WebSocket frame of an unknown kind"));
            }
        }
        Ok(())
    }

    /// Puts the control frames that are due behind what is framed already.
    fn frame_controls(&mut self) {
        if let Some(pong) = self.pong.take().filter(|_| self.closing != Closing::Sent) {
            self.frame(OpCode::Control(Control::Pong), &pong);
        }
        if let Closing::With(code) = self.closing {
            self.frame(OpCode::Control(Control::Close), &code.to_be_bytes());
            self.closing = Closing::Sent;
        }
    }

    fn frame(&mut self, opcode: OpCode, payload: &[u8]) {
        let header = FrameHeader { opcode, mask: None, ..FrameHeader::default() };
        let length = payload.len() as u64;
        let mut head = Vec::with_capacity(header.len(length));
        // Writing to memory cannot fail.
        if header.format(length, &mut head).is_ok() {
            self.outgoing.extend_from_slice(&head);
            self.outgoing.extend_from_slice(payload);
        }
    }

    /// Gives the socket what is framed.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.frame_controls();
        while !self.outgoing.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(written);
            self.frame_controls();
        }
        // An idle connection keeps no buffer.
        self.outgoing = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// The same, from the task that writes.
    fn poll_drain_to_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let drained = self.poll_drain(cx);
        self.writer_waits = drained.is_pending();
        drained
    }

    /// The same, from the task that reads: answers to control frames, where nobody else is at it.
    fn drain_to_read(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let due =
            !self.outgoing.is_empty() || self.pong.is_some() || matches!(self.closing, Closing::With(_));
        if due && !self.writer_waits {
            let _ = self.poll_drain(cx)?;
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            this.drain_to_read(cx)?;
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            match &mut this.frame {
                Frame::Header => {
                    let begun = this.begin_frame();
                    if begun.is_err() {
                        this.drain_to_read(cx)?;
                    }
                    if begun? {
                        continue;
                    }
                }
                Frame::Data { left: 0, .. } => {
                    this.frame = Frame::Header;
                    continue;
                }
                Frame::Data { left, mask, at } if !this.raw.is_empty() => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    let length = this.raw.len().min(most).min(buf.remaining());
                    unmask(&mut this.raw[..length], *mask, *at);
                    buf.put_slice(&this.raw[..length]);
                    this.raw.advance(length);
                    *left -= length as u64;
                    *at = (*at + length) % 4;
                    return Poll::Ready(Ok(()));
                }
                Frame::Control { kind, length, mask } if this.raw.len() >= *length => {
                    let mut payload = this.raw.split_to(*length);
                    unmask(&mut payload, *mask, 0);
                    let kind = *kind;
                    this.frame = Frame::Header;
                    this.control(kind, &payload)?;
                    continue;
                }
                // The rest of a long frame goes straight to where it is wanted.
                Frame::Data { left, mask, at } if *left > this.room as u64 => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX).min(buf.remaining()).min(READ.1);
                    let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
                    ready!(Pin::new(&mut this.socket).poll_read(cx, &mut part))?;
                    let length = part.filled().len();
                    unmask(part.filled_mut(), *mask, *at);
                    buf.advance(length);
                    *left -= length as u64;
                    *at = (*at + length) % 4;
                    return Poll::Ready(Ok(()));
                }
                Frame::Data { .. } | Frame::Control { .. } => {}
            }
            this.raw.reserve(this.room);
            let read = ready!(poll_read_buf(Pin::new(&mut this.socket), cx, &mut this.raw))?;
            if read == 0 {
                return Poll::Ready(Ok(()));
            }
            this.room = if read >= this.room { this.room * 2 } else { READ.0 }.min(READ.1);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.closing != Closing::No {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.poll_drain_to_write(cx))?;
        let length = bytes.len().min(FRAME);
        self.frame(OpCode::Data(Data::Binary), &bytes[..length]);
        // What is left of it now leaves with the flush.
        let _ = self.poll_drain_to_write(cx)?;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain_to_write(cx))?;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close(NORMAL);
        ready!(self.poll_drain_to_write(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
