//! Each primitive as this room uses it, against the vectors of its own specification, and against what an attacker sends.
//!
//! AES-128-CBC and Fernet have theirs in `cbc_hmac`, `token` and `docs/vectors/fernet.json`.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::Sha256;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

#[test]
fn hmac_sha_256_gives_what_rfc_4231_says() {
    // Test cases 1 to 4; zeros at the end of a shorter key change nothing (RFC 2104 §2).
    let cases: [(&[u8], &[u8], &str); 4] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (
            &std::array::from_fn::<u8, 25, _>(|at| at as u8 + 1),
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
    ];
    for (key, data, wanted) in cases {
        let mut whole = [0; 32];
        whole[..key.len()].copy_from_slice(key);
        assert_eq!(hmac_sha256(&whole, data).to_vec(), hex(wanted));
    }
    // Test case 6, longer than a block: only the keys of `aes-cbc-hmac` may be.
    let long = Hmac::<Sha256>::new_from_slice(&[0xaa; 131]).unwrap();
    let tag = long.chain_update(b"Test Using Larger Than Block-Size Key - Hash Key First").finalize();
    let wanted = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
    assert_eq!(tag.into_bytes().to_vec(), hex(wanted));
}

#[test]
fn hkdf_gives_what_rfc_5869_test_cases_2_and_3_say() {
    let range = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
    let prk = Hkdf::<Sha256>::new(Some(&range(0x60, 0xaf)), &range(0, 0x4f));
    // In pieces, as the labels and their fields are given.
    let info = range(0xb0, 0xff);
    let okm = secret::expand::<82>(&prk, &[&info[..10], &info[10..]]);
    let wanted = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09\
                  da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87";
    assert_eq!(okm.to_vec(), hex(wanted));
    let prk = Hkdf::<Sha256>::new(None, &[0x0b; 22]);
    let wanted = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8";
    assert_eq!(secret::expand::<42>(&prk, &[]).to_vec(), hex(wanted));
}

struct AeadCase {
    suite: Suite,
    key: Vec<u8>,
    nonce: [u8; 12],
    aad: Vec<u8>,
    plaintext: Vec<u8>,
    ciphertext: Vec<u8>,
}

/// RFC 8439 §2.8.2, and test cases 13, 14 and 16 of McGrew and Viega's GCM specification, which NIST SP 800-38D took over.
fn aead_cases() -> Vec<AeadCase> {
    let gcm = |key: &str, nonce: &str, aad: &str, plaintext: &str, ciphertext: &str| AeadCase {
        suite: Suite::CoseA256Gcm,
        key: hex(key),
        nonce: array(nonce),
        aad: hex(aad),
        plaintext: hex(plaintext),
        ciphertext: hex(ciphertext),
    };
    let (no_key, no_nonce) = ("00".repeat(32), "00".repeat(12));
    vec![
        AeadCase {
            suite: Suite::CoseChaCha20,
            key: (0x80..=0x9f).collect(),
            nonce: array("070000004041424344454647"),
            aad: hex("50515253c0c1c2c3c4c5c6c7"),
            plaintext: b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                         sunscreen would be it."
                .to_vec(),
            ciphertext: hex(
                "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b\
                 1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
                 3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
            ),
        },
        gcm(&no_key, &no_nonce, "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        gcm(
            &no_key,
            &no_nonce,
            "",
            &"00".repeat(16),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
        ),
        gcm(
            &"feffe9928665731c6d6a8f9467308308".repeat(2),
            "cafebabefacedbaddecaf888",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525\
             b16aedf5aa0de657ba637b39",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838\
             c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ]
}

impl AeadCase {
    fn open(&self, nonce: [u8; 12], aad: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
        let key = LessSafeKey::new(UnboundKey::new(self.suite.cose().unwrap().aead, &self.key).unwrap());
        let mut buffer = ciphertext.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.open_in_place(nonce, Aad::from(aad), &mut buffer).ok().map(|opened| opened.to_vec())
    }
}

#[test]
fn both_aeads_give_what_their_specifications_say() {
    for case in aead_cases() {
        let key = LessSafeKey::new(UnboundKey::new(case.suite.cose().unwrap().aead, &case.key).unwrap());
        let mut sealed = case.plaintext.clone();
        let nonce = Nonce::assume_unique_for_key(case.nonce);
        key.seal_in_place_append_tag(nonce, Aad::from(&case.aad), &mut sealed).unwrap();
        assert_eq!(sealed, case.ciphertext, "{}", case.suite);
        assert_eq!(case.open(case.nonce, &case.aad, &case.ciphertext), Some(case.plaintext.clone()));
    }
}

#[test]
fn a_cut_tag_another_nonce_or_other_associated_data_open_nothing() {
    for case in aead_cases() {
        for cut in 1..=16 {
            let end = case.ciphertext.len() - cut;
            assert_eq!(case.open(case.nonce, &case.aad, &case.ciphertext[..end]), None, "a tag cut by {cut}");
        }
        for bit in 0..case.ciphertext.len() * 8 {
            let mut altered = case.ciphertext.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(case.open(case.nonce, &case.aad, &altered), None, "bit {bit}");
        }
        for at in 0..12 {
            let mut nonce = case.nonce;
            nonce[at] ^= 1;
            assert_eq!(case.open(nonce, &case.aad, &case.ciphertext), None, "nonce byte {at}");
        }
        assert_eq!(case.open(case.nonce, &[&case.aad[..], &[0]].concat(), &case.ciphertext), None);
        let inverted: Vec<u8> = case.ciphertext.iter().map(|byte| !byte).collect();
        assert_eq!(case.open(case.nonce, &case.aad, &inverted), None);
    }
}

#[test]
fn ed25519_gives_what_rfc_8032_section_7_1_says() {
    // Tests 1, 3 and SHA(abc); test 2 is beside the key itself.
    let of_abc = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd\
                  454d4423643ce80e2a9ac94fa54ca49f";
    let cases = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            of_abc,
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    ];
    for (seed, public, message, signature) in cases {
        let key = SigningKey::from_bytes(&array(seed));
        assert_eq!(key.sender().to_string(), public);
        assert_eq!(key.sign(&hex(message)), array::<64>(signature));
        assert!(key.sender().verifies(&hex(message), &array(signature)));
    }
}

/// The eight points of small order on Edwards25519, encoded.
const SMALL_ORDER: [&str; 8] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
];

#[test]
fn no_key_of_small_order_verifies_anything_whatever_stands_for_r() {
    for key in SMALL_ORDER {
        let sender = SenderKey::from_bytes(array(key));
        for r in SMALL_ORDER {
            let signature: [u8; 64] = [hex(r), vec![0; 32]].concat().try_into().unwrap();
            // Without the check one message in eight at most would fail here.
            for message in 0..16_u8 {
                assert!(!sender.verifies(&[message], &signature), "{key} {r} {message}");
            }
        }
    }
}

#[test]
fn an_encoding_beyond_the_field_and_a_point_off_the_curve_verify_nothing() {
    let mut neutral = [0; 64];
    neutral[0] = 1;
    // y = p + 1 and y = p, the neutral point and one of order 4 in a second spelling; y = 2, which is on no point.
    for (low, high) in [(0xee, 0x7f), (0xed, 0x7f), (0xee, 0xff), (0x02, 0)] {
        let filling = if low == 2 { 0 } else { 0xff };
        let mut key = [filling; 32];
        (key[0], key[31]) = (low, high);
        for message in 0..16_u8 {
            assert!(!SenderKey::from_bytes(key).verifies(&[message], &neutral), "{low:02x}");
        }
    }
}

#[test]
fn a_signature_that_holds_only_by_the_equation_with_the_cofactor_is_refused() {
    // The key is 12345·B plus a point of order 8: 8·S·B = 8·R + 8·k·A holds, S·B = R + k·A does not.
    let sender =
        SenderKey::from_bytes(array("ad5b30a39ee28c85d0e3903357b263540127f6780e795a593a819d6400e50d80"));
    let signature = array(
        "49a952edb48c7da2f21d414b599effb38939769dbbe12d83a9a1496f81d8567789eb776c8eca32a50162f21b6ed886f1e9c21cd98311684cc875e2c116b6f104",
    );
    assert!(!sender.verifies(b"mixed order", &signature));
}
