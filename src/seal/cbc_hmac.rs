//! The suite `aes-cbc-hmac`: `base64(IV ‖ AES-128-CBC(body) ‖ HMAC-SHA-256(IV ‖ ciphertext))`, for programs already out there.
//!
//! Encrypt-then-MAC (RFC 7366 says why), PKCS#7 padding (RFC 5652 §6.3), standard base64 with its padding (RFC 4648 §4). It
//! names no key, binds no topic, and carries neither time nor kind nor content type.

use aes::{
    Aes128,
    cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit, block_padding::Pkcs7},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Body, EpochSecret, Kid, OpenError, hmac_sha256, secret};

const IV_LEN: usize = 16;
const MAC_LEN: usize = 32;
const BLOCK: usize = 16;
/// Base64 shorter than an IV is taken for words and not for what is left of a message.
const SHORTEST_REMNANT: usize = 22;

/// The two keys. Of an [`EpochSecret`] the first 16 bytes encrypt and the last 16 authenticate; programs out there may
/// authenticate with another number of bytes, which is why they can be given apart. Wiped when dropped.
pub struct Keys {
    /// For AES-128.
    pub cipher: Zeroizing<[u8; 16]>,
    /// For HMAC-SHA-256 (RFC 2104): any length.
    pub mac: Zeroizing<Vec<u8>>,
}

impl From<&EpochSecret> for Keys {
    fn from(secret: &EpochSecret) -> Self {
        let (cipher, mac) = secret.expose().split_at(16);
        let mut first = Zeroizing::new([0; 16]);
        first.copy_from_slice(cipher);
        Self { cipher: first, mac: Zeroizing::new(mac.to_vec()) }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// The keys, ready for use.
pub(super) struct Machine {
    cipher: Aes128,
    mac: Hmac<Sha256>,
    iv_key: Zeroizing<[u8; 32]>,
    kid: Kid,
}

/// What was opened.
pub(super) struct Opened {
    pub(super) body: Body,
    /// 16 bytes that stand for this very message.
    pub(super) mark: [u8; 16],
}

/// How long a message for this body is.
pub(super) const fn length_for(body_len: u64) -> u64 {
    ((IV_LEN + MAC_LEN + BLOCK) as u64 + body_len / BLOCK as u64 * BLOCK as u64).div_ceil(3) * 4
}

/// Whether the bytes may be a message of this suite or what is left of one: base64 and nothing else. Words can look so too,
/// therefore it means something only where a key of this suite covers the topic.
#[must_use]
pub fn looks_like_one(wire: &[u8]) -> bool {
    let text = wire.trim_ascii();
    text.len() >= SHORTEST_REMNANT
        && text.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
}

impl Machine {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length; no input can reach it")]
    pub(super) fn new(keys: &Keys) -> Self {
        let both = Zeroizing::new([&keys.cipher[..], &keys.mac].concat());
        let (kid, iv_key) = secret::cbc_hmac_kid_and_iv_key(&both);
        Self {
            cipher: Aes128::new((&*keys.cipher).into()),
            mac: <Hmac<Sha256> as KeyInit>::new_from_slice(&keys.mac).expect("any length"),
            iv_key,
            kid,
        }
    }

    /// The key id of the two keys.
    pub(super) const fn kid(&self) -> Kid {
        self.kid
    }

    /// The IV of one message: `HMAC-SHA-256(Expand("sealwire/1 iv aes-cbc-hmac", 32), session ‖ number)`, its first 16 bytes.
    ///
    /// Whoever lacks the key cannot predict it, as CBC wants (NIST SP 800-38A appendix C), and it comes once as long as
    /// `session` is fresh; so no randomness is drawn here.
    pub(super) fn iv(&self, session: &[u8; 16], number: u64) -> [u8; IV_LEN] {
        let mut place = [0; 24];
        place[..16].copy_from_slice(session);
        place[16..].copy_from_slice(&number.to_be_bytes());
        let mut iv = [0; IV_LEN];
        iv.copy_from_slice(&hmac_sha256(&self.iv_key, &place)[..IV_LEN]);
        iv
    }

    /// The message for one body.
    pub(super) fn seal(&self, body: &[u8], iv: &[u8; IV_LEN]) -> Vec<u8> {
        let mut encryptor = cbc::Encryptor::inner_iv_init(self.cipher.clone(), iv.into());
        let mut raw = Vec::with_capacity(IV_LEN + body.len() + BLOCK + MAC_LEN);
        raw.extend_from_slice(iv);
        raw.extend_from_slice(body);
        let padding = BLOCK - body.len() % BLOCK;
        raw.resize(raw.len() + padding, padding as u8);
        let (blocks, _) = Block::<Aes128>::slice_as_chunks_mut(&mut raw[IV_LEN..]);
        encryptor.encrypt_blocks(blocks);
        let tag = self.mac.clone().chain_update(&raw).finalize().into_bytes();
        raw.extend_from_slice(&tag);
        STANDARD.encode(raw).into_bytes()
    }

    /// Verifies, then decrypts. Space around the text is accepted.
    pub(super) fn open(&self, wire: &[u8], kid: Kid) -> Result<Opened, OpenError> {
        let mut raw = decode(wire)?;
        let end = raw.len() - MAC_LEN;
        let (sealed, tag) = raw.split_at_mut(end);
        let refused = || OpenError::CbcHmacRefused { tried: vec![kid] };
        // In constant time.
        self.mac.clone().chain_update(&*sealed).verify_slice(tag).map_err(|_| refused())?;
        let mut mark = [0; 16];
        mark.copy_from_slice(&Sha256::new().chain_update(&*sealed).chain_update(&*tag).finalize()[..16]);
        let (iv, blocks) = sealed.split_at_mut(IV_LEN);
        let iv: [u8; IV_LEN] = (&*iv).try_into().map_err(|_| refused())?;
        let decryptor = cbc::Decryptor::inner_iv_init(self.cipher.clone(), (&iv).into());
        // Only who has the MAC key gets here, so the padding tells an outsider nothing.
        let body = decryptor
            .decrypt_padded::<Pkcs7>(blocks)
            .map_err(|_| OpenError::BadContents("the padding is not PKCS#7"))?;
        Ok(Opened { body: Body::from(body.to_vec()), mark })
    }
}

/// The bytes behind the text: IV, at least one block, MAC.
fn decode(wire: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let text = wire.trim_ascii();
    let cut = |missing: usize| OpenError::CutShort { missing: missing as u64 };
    let missing = (4 - text.len() % 4) % 4;
    if missing != 0 {
        return Err(cut(missing));
    }
    let raw = STANDARD
        .decode(text)
        .map(Zeroizing::new)
        .map_err(|_| OpenError::BadHeader("the message is not base64 in its standard alphabet"))?;
    match raw.len() {
        short if short < IV_LEN + BLOCK + MAC_LEN => Err(cut(IV_LEN + BLOCK + MAC_LEN - short)),
        uneven if !uneven.is_multiple_of(BLOCK) => Err(cut(BLOCK - uneven % BLOCK)),
        _ => Ok(raw),
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    /// The constants that one of the older systems published: 16 and 33 bytes.
    fn published() -> Keys {
        let mut cipher = Zeroizing::new([0; 16]);
        cipher.copy_from_slice(&STANDARD.decode("UAH11A5PTkuqMpB03gMNzg==").unwrap());
        let mac = STANDARD_NO_PAD.decode("iVCj0p6JRySSVXa1RcdeEl4VvuACqGXwMsA21ed2qPQ1").unwrap();
        Keys { cipher, mac: Zeroizing::new(mac) }
    }

    fn machine() -> Machine {
        Machine::new(&Keys::from(&EpochSecret::from_bytes(std::array::from_fn(|at| at as u8))))
    }

    fn open(machine: &Machine, wire: &[u8]) -> Result<Vec<u8>, OpenError> {
        machine.open(wire, machine.kid()).map(|opened| opened.body.to_vec())
    }

    /// The text for these bytes, with a MAC that holds.
    fn authenticated(machine: &Machine, sealed: &[u8]) -> Vec<u8> {
        let tag = machine.mac.clone().chain_update(sealed).finalize().into_bytes();
        STANDARD.encode([sealed, &tag[..]].concat()).into_bytes()
    }

    #[test]
    fn messages_of_the_programs_already_out_there_open_and_are_written_to_the_byte() {
        let machine = Machine::new(&published());
        let made = "AAECAwQFBgcICQoLDA0OD36MI89bdSzVsxg83QpRiGf/nAGXQdGCgCiaTDWbjviS9pbyLRa/9cpbc78ZL+7p6A==";
        assert_eq!(open(&machine, made.as_bytes()).unwrap(), b"Hello Daniel");
        assert_eq!(machine.seal(b"Hello Daniel", &std::array::from_fn(|at| at as u8)), made.as_bytes());
        let logged =
            "+fyN32B0cpk2kBUdV71M/dCR75ejZJfZgeH0eLmTNTl43apS6vb6ugAWpUCwLn7QfJvHE3IMckzm+adpHZ4haQ==";
        assert_eq!(open(&machine, logged.as_bytes()).unwrap(), b"Here i am");
    }

    #[test]
    fn aes_128_cbc_gives_what_nist_sp_800_38a_f_2_1_says() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let mut cipher = Zeroizing::new([0; 16]);
        cipher.copy_from_slice(&hex("2b7e151628aed2a6abf7158809cf4f3c"));
        let machine = Machine::new(&Keys { cipher, mac: Zeroizing::new(vec![1]) });
        let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        let wire = machine.seal(&plain, &std::array::from_fn(|at| at as u8));
        let raw = STANDARD.decode(wire).unwrap();
        let wanted = "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2";
        assert_eq!(raw[16..48], hex(wanted));
    }

    #[test]
    fn every_flipped_bit_is_refused_and_a_moved_iv_too() {
        let machine = machine();
        let raw = STANDARD.decode(machine.seal(b"21.5 degrees, twice", &[7; 16])).unwrap();
        for bit in 0..raw.len() * 8 {
            let mut altered = raw.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let refused = OpenError::CbcHmacRefused { tried: vec![machine.kid()] };
            assert_eq!(open(&machine, STANDARD.encode(altered).as_bytes()), Err(refused), "{bit}");
        }
    }

    #[test]
    fn padding_that_is_not_pkcs_7_is_refused_though_the_mac_holds() {
        let machine = machine();
        for last in [[0_u8; 16], [17; 16], std::array::from_fn(|at| if at == 15 { 2 } else { 1 })] {
            let mut sealed = vec![7; 16];
            sealed.extend(last);
            let (blocks, _) = Block::<Aes128>::slice_as_chunks_mut(&mut sealed[16..]);
            cbc::Encryptor::inner_iv_init(machine.cipher.clone(), (&[7; 16]).into()).encrypt_blocks(blocks);
            let error = open(&machine, &authenticated(&machine, &sealed)).unwrap_err();
            assert_eq!(error, OpenError::BadContents("the padding is not PKCS#7"));
        }
    }

    #[test]
    fn every_cut_is_refused_and_told_as_cut_where_the_length_shows_it() {
        let machine = machine();
        let wire = machine.seal(b"Hello Daniel", &[1; 16]);
        for end in SHORTEST_REMNANT..wire.len() {
            let error = open(&machine, &wire[..end]).unwrap_err();
            assert!(matches!(error, OpenError::CutShort { .. }), "{end}: {error}");
        }
    }

    #[test]
    fn only_standard_base64_in_its_one_spelling_is_read_and_space_around_it_is_fine() {
        let machine = machine();
        let wire = String::from_utf8(machine.seal(b"x", &[0xfb; 16])).unwrap();
        assert_eq!(open(&machine, format!(" {wire}\r\n").as_bytes()).unwrap(), b"x");
        let urlsafe = wire.replace('+', "-").replace('/', "_");
        assert_ne!(urlsafe, wire);
        assert!(matches!(open(&machine, urlsafe.as_bytes()), Err(OpenError::BadHeader(_))));
        assert!(!looks_like_one(b"21.5 degrees in the shade today") && looks_like_one(wire.as_bytes()));
    }

    #[test]
    fn no_two_messages_of_a_session_share_an_iv_and_no_two_sessions_do() {
        let machine = machine();
        let ivs: std::collections::HashSet<_> =
            (0..4_u8).flat_map(|session| (0..100).map(move |at| ([session; 16], at))).collect();
        let ivs: std::collections::HashSet<_> =
            ivs.iter().map(|(session, at)| machine.iv(session, *at)).collect();
        assert_eq!(ivs.len(), 400);
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_has_the_announced_length(body in prop::collection::vec(any::<u8>(), 0..300), iv in any::<[u8; 16]>()) {
            let machine = machine();
            let wire = machine.seal(&body, &iv);
            prop_assert_eq!(wire.len() as u64, length_for(body.len() as u64));
            prop_assert!(looks_like_one(&wire));
            prop_assert_eq!(open(&machine, &wire), Ok(body));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "[A-Za-z0-9+/=]{0,200}") {
            prop_assert!(open(&machine(), text.as_bytes()).is_err());
        }
    }
}
