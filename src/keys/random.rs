//! The operating system's randomness, the one source of every secret made here.

use zeroize::Zeroizing;

/// The operating system gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the operating system gave no randomness ({0}), and without it no key is safe: try again, or restart the computer"
)]
pub struct NoRandomness(getrandom::Error);

/// `N` fresh random bytes.
pub(super) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, NoRandomness> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(NoRandomness)?;
    Ok(bytes)
}
