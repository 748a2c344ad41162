//! An opened payload, wiped when it is dropped.
//!
//! `Zeroizing<Vec<u8>>` writes byte by byte, which takes longer than decrypting did.

use std::ops::{Deref, DerefMut, Range};

use zeroize::Zeroize;

/// The bytes of an opened payload. Wiped when dropped, with all of the memory that it had.
#[derive(Default, PartialEq, Eq)]
pub struct Body(Vec<u8>);

impl Body {
    /// Only this range of it, in the same memory: no second copy of the secret to make and to wipe.
    pub(super) fn keep_only(mut self, range: Range<usize>) -> Self {
        let length = range.len();
        self.0.copy_within(range, 0);
        self.0.truncate(length);
        self
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for Body {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Body {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Zeroize for Body {
    fn zeroize(&mut self) {
        self.0.fill(0);
        // What lies behind the end too: the padding, and bytes that were moved to the front. It grows into its own memory.
        self.0.resize(self.0.capacity(), 0);
        // Without this a compiler may leave out what nobody reads.
        zeroize::optimization_barrier(self.0.as_slice());
        self.0.clear();
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl zeroize::ZeroizeOnDrop for Body {}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_and_wiped_in_the_memory_that_it_has() {
        let mut bytes = Vec::with_capacity(100);
        bytes.extend(0..90);
        let place = bytes.as_ptr().addr();
        let mut body = Body::from(bytes).keep_only(80..84);
        assert_eq!(&body[..], [80, 81, 82, 83]);
        body.zeroize();
        assert_eq!((body.0.as_ptr().addr(), body.0.capacity(), body.0.len()), (place, 100, 0));
    }

    #[test]
    fn a_body_does_not_print() {
        assert_eq!(format!("{:?}", Body::from(b"21.5".to_vec())), "Body(4 bytes)");
    }
}
