"""Opens and seals Sealwire envelopes, written from docs/envelope.md alone. Section numbers are that page's.

    python sealwire_reader.py docs/vectors/*.json      opens every test vector and says which outcome is not as it should be

Needs the packages cryptography and cbor2.
"""

import base64
import binascii
import hashlib
import hmac
import json
import sys

import cbor2
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SUITES = {"cose-a256gcm": 3, "cose-chacha20": 24}
AEAD = {3: AESGCM, 24: ChaCha20Poly1305}
LABELS = [1, 4, 6, 10, -65537]
# The y coordinates of Edwards25519's eight points of small order (RFC 8032 §5.1 has the curve).
PRIME = 2**255 - 19
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL_ORDER = {0, 1, PRIME - 1, ORDER_8, PRIME - ORDER_8}


class Refused(Exception):
    """A message that does not open; its text is the failure's name in §6."""


def require(holds, name):
    if not holds:
        raise Refused(name)


# --- §2: keys


def expand(prk, info, length):
    return HKDFExpand(hashes.SHA256(), length, info).derive(prk)


class Keys:
    """What is derived from an epoch secret."""

    def __init__(self, secret):
        self.secret = secret
        self.prk = hmac.digest(b"sealwire/1", secret, "sha256")
        self.kid = expand(self.prk, b"sealwire/1 kid", 16)
        self.commitment = expand(self.prk, b"sealwire/1 commit", 32)

    def topic_id(self, topic):
        return hmac.digest(expand(self.prk, b"sealwire/1 topic", 32), topic.encode(), "sha256")[:16]

    def aead(self, alg, session, sequence):
        material = expand(self.prk, b"sealwire/1 msg\x00" + bytes([alg]) + session, 44)
        nonce = int.from_bytes(material[32:], "big") ^ sequence
        return AEAD[alg](material[:32]), nonce.to_bytes(12, "big")


# --- §3: on the wire


def one_item(data, refusal, cut=None):
    """The CBOR item at the start of data, which must stand there in its one encoding, and what follows it."""
    try:
        item = cbor2.loads(data)
    except cbor2.CBORDecodeEOF:
        raise Refused(cut or refusal) from None
    except Exception:
        raise Refused(refusal) from None
    encoded = cbor2.dumps(item)
    require(data.startswith(encoded), refusal)
    return item, data[len(encoded) :]


def is_bytes(value, *lengths):
    return isinstance(value, bytes) and (not lengths or len(value) in lengths)


def is_uint(value):
    return type(value) is int and value >= 0


def take_apart(wire):
    item, rest = one_item(wire, "bad-header", cut="cut-short")
    require(isinstance(item, cbor2.CBORTag) and item.tag == 16 and type(item.value) is list, "bad-header")
    require(len(item.value) == 3, "bad-header")
    protected, unprotected, ciphertext = item.value
    require(is_bytes(protected), "bad-header")
    header, after = one_item(protected, "bad-header")
    require(type(header) is dict and list(header) == LABELS and not after, "bad-header")
    alg, kid, partial_iv, session, topic_id = header.values()
    require(is_uint(alg), "bad-header")
    require(alg in AEAD, "unknown-algorithm")
    require(is_bytes(kid, 16) and is_bytes(session, 16) and is_bytes(topic_id, 16), "bad-header")
    require(is_bytes(partial_iv, 1, 2, 3, 4) and partial_iv[0] != 0, "bad-header")
    sequence = int.from_bytes(partial_iv, "big")
    require(sequence <= 2**24, "bad-header")
    require(unprotected == {} and type(unprotected) is dict, "bad-header")
    require(is_bytes(ciphertext) and len(ciphertext) >= 16, "bad-header")
    require(not rest, "over-long")
    return protected, alg, kid, session, sequence, topic_id, ciphertext


def associated_data(protected):
    return cbor2.dumps(["Encrypt0", protected, cbor2.dumps(["sealwire/1"])])


# --- §4: signatures


def to_be_signed(keys, alg, topic, session, sequence, protected, payload):
    external = cbor2.dumps(["sealwire/1 sign", keys.commitment, alg, topic, session, sequence])
    return cbor2.dumps(["Signature1", protected, external, payload])


def is_sound_point(encoded):
    """Canonically encoded, and not of small order."""
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return y < PRIME and y not in SMALL_ORDER


def verify(public, signature, message):
    # The library refuses S beyond the order by itself, but takes points of small order.
    require(is_sound_point(public) and is_sound_point(signature[:32]), "bad-signature")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Refused("bad-signature") from None


# --- §6: opening


def read_contents(item):
    require(type(item) is list and len(item) == 4, "bad-contents")
    kind, iat_ms, content_type, body = item
    require(is_uint(kind) and is_uint(iat_ms) and is_bytes(body), "bad-contents")
    require(content_type is None or type(content_type) is str, "bad-contents")
    require(kind <= 3, "bad-contents")
    return kind, iat_ms, content_type, body


def open_native(secret, suite, topic, wire, covers=lambda topic: True):
    protected, alg, kid, session, sequence, topic_id, ciphertext = take_apart(wire)
    keys = Keys(secret)
    require(kid == keys.kid, "unknown-key")
    require(covers(topic), "key-not-for-topic")
    require(alg == SUITES.get(suite), "not-sealed-as-required")
    cipher, nonce = keys.aead(alg, session, sequence)
    try:
        inside = cipher.decrypt(nonce, ciphertext, associated_data(protected))
    except InvalidTag:
        raise Refused("altered") from None
    require(hmac.compare_digest(keys.topic_id(topic), topic_id), "moved-topic")

    item, after = one_item(inside, "bad-contents")
    signer = None
    if isinstance(item, cbor2.CBORTag):
        require(item.tag == 18 and type(item.value) is list and len(item.value) == 4, "bad-contents")
        sign_protected, unprotected, payload, signature = item.value
        require(is_bytes(sign_protected) and is_bytes(payload) and is_bytes(signature, 64), "bad-contents")
        require(unprotected == {} and type(unprotected) is dict, "bad-contents")
        header, rest = one_item(sign_protected, "bad-contents")
        require(type(header) is dict and list(header) == [1, 4] and header[1] == -8, "bad-contents")
        require(is_bytes(header[4], 32) and not rest, "bad-contents")
        signer = header[4]
        item, rest = one_item(payload, "bad-contents")
        require(not rest, "bad-contents")
    kind, iat_ms, content_type, body = read_contents(item)
    require(not any(after), "bad-padding")
    if signer:
        message = to_be_signed(keys, alg, topic, session, sequence, sign_protected, payload)
        verify(signer, signature, message)
    return {
        "kid": kid.hex(),
        "session": session.hex(),
        "sequence": sequence,
        "sealed_at_ms": iat_ms,
        "retained": bool(kind & 1),
        "will": bool(kind & 2),
        "content_type": content_type,
        "signer": signer and signer.hex(),
        "body": body.hex(),
    }


# --- §8: suites for programs already out there


def legacy(secret, label, raw, sealed_at_ms, body):
    return {
        "kid": expand(hmac.digest(b"sealwire/1", secret, "sha256"), label, 16).hex(),
        "session": hashlib.sha256(raw).digest()[:16].hex(),
        "sequence": 0,
        "sealed_at_ms": sealed_at_ms,
        "retained": False,
        "will": False,
        "content_type": None,
        "signer": None,
        "body": body.hex(),
    }


def open_fernet(secret, wire):
    text = wire.strip().replace(b"+", b"-").replace(b"/", b"_")
    require(text.startswith(b"gAAAAA"), "not-sealed-as-required")
    require(len(text) % 4 == 0, "cut-short")
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except binascii.Error:
        raise Refused("bad-header") from None
    require(len(raw) >= 73 and (len(raw) - 57) % 16 == 0, "cut-short")
    try:
        body = Fernet(base64.urlsafe_b64encode(secret)).decrypt(text)
    except InvalidToken:
        raise Refused("altered-or-other-key") from None
    return legacy(secret, b"sealwire/1 kid fernet", raw, int.from_bytes(raw[1:9], "big") * 1000, body)


def open_cbc_hmac(cipher_key, mac_key, wire):
    text = wire.strip()
    alphabet = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
    require(len(text) >= 22 and set(text) <= alphabet, "not-sealed-as-required")
    require(len(text) % 4 == 0, "cut-short")
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Refused("bad-header") from None
    require(base64.b64encode(raw) == text, "bad-header")
    require(len(raw) >= 64 and len(raw) % 16 == 0, "cut-short")
    sealed, mac = raw[:-32], raw[-32:]
    holds = hmac.compare_digest(hmac.digest(mac_key, sealed, "sha256"), mac)
    require(holds, "altered-or-other-key")
    decryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(sealed[:16])).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    try:
        body = unpadder.update(decryptor.update(sealed[16:]) + decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        raise Refused("bad-contents") from None
    return legacy(cipher_key + mac_key, b"sealwire/1 kid aes-cbc-hmac", raw, None, body)


# --- a reader with one key


def filter_covers(topic_filter, topic):
    """MQTT 5 §4.7."""
    levels, names = topic_filter.split("/"), topic.split("/")
    for at, level in enumerate(levels):
        if level == "#":
            return True
        if at >= len(names) or level not in ("+", names[at]):
            return False
    return len(levels) == len(names)


def open_message(suite, key, topic, wire, filters=("#",), required_signers=None):
    """What the message holds; raises Refused with the failure's name. `key`: secret, or (cipher key, MAC key)."""
    require(wire, "empty")
    looks_native = wire[0] == 0xD0
    if suite in SUITES:
        require(looks_native, "not-sealed-as-required")
        covers = lambda topic: any(filter_covers(each, topic) for each in filters)
        opened = open_native(key, suite, topic, wire, covers)
    else:
        require(not looks_native, "not-sealed-as-required")
        opened = (
            open_fernet(key, wire)
            if suite == "fernet"
            else open_cbc_hmac(*(key if isinstance(key, tuple) else (key[:16], key[16:])), wire)
        )
    if required_signers is not None:
        require(opened["signer"], "not-signed")
        require(opened["signer"] in required_signers, "unknown-signer")
    return opened


# --- §7: replay


class Judge:
    """Whether an opened message was here before. Forgets nothing; a program that runs for long must, as §7 says."""

    def __init__(self):
        self.highest, self.seen, self.exact, self.newest_retained = {}, set(), set(), {}

    def judge(self, opened, suite, topic, delivered_retained, now_ms=1 << 63):
        native, stamp = suite in SUITES, opened["sealed_at_ms"]
        if stamp is not None:
            stamp = min(stamp, now_ms + 600_000)
        if delivered_retained and native and not opened["retained"]:
            return "replayed as retained"
        verdict = self.by_memory(opened, native)
        if delivered_retained:
            return "fresh" if stamp is None or self.is_newest(topic, stamp) else "rolled back"
        if verdict == "fresh" and opened["retained"]:
            self.is_newest(topic, stamp)
        return verdict

    def by_memory(self, opened, native):
        session, sequence = (opened["session"], opened.get("signer")), opened["sequence"]
        if opened["will"] or not native:
            mark = (session, sequence)
            seen_before = mark in self.exact
            self.exact.add(mark)
            return "repeated" if seen_before else "fresh"
        highest = self.highest.get(session, 0)
        if highest - sequence >= 1024:
            return "too old to judge"
        if (session, sequence) in self.seen:
            return "repeated"
        self.seen.add((session, sequence))
        self.highest[session] = max(highest, sequence)
        return "fresh"

    def is_newest(self, topic, stamp):
        if stamp < self.newest_retained.get(topic, 0):
            return False
        self.newest_retained[topic] = stamp
        return True


# --- §5: sealing


def padded(inside):
    exponent = len(inside).bit_length() - 1
    step = max(32, 2 ** max(0, exponent - exponent.bit_length())) if exponent else 32
    return inside + bytes(-len(inside) % step)


def seal(secret, suite, topic, session, sequence, iat_ms, body, kind=0, content_type=None, seed=None):
    """One envelope. `session`: 16 fresh random bytes for each start of the program; `seed`: an Ed25519 key, to sign."""
    keys, alg = Keys(secret), SUITES[suite]
    partial_iv = sequence.to_bytes((sequence.bit_length() + 7) // 8, "big")
    values = [alg, keys.kid, partial_iv, session, keys.topic_id(topic)]
    protected = cbor2.dumps(dict(zip(LABELS, values)))
    inside = cbor2.dumps([kind, iat_ms, content_type, body])
    if seed:
        signing_key = Ed25519PrivateKey.from_private_bytes(seed)
        sign_protected = cbor2.dumps({1: -8, 4: signing_key.public_key().public_bytes_raw()})
        message = to_be_signed(keys, alg, topic, session, sequence, sign_protected, inside)
        inside = cbor2.dumps(cbor2.CBORTag(18, [sign_protected, {}, inside, signing_key.sign(message)]))
    cipher, nonce = keys.aead(alg, session, sequence)
    ciphertext = cipher.encrypt(nonce, padded(inside), associated_data(protected))
    return cbor2.dumps(cbor2.CBORTag(16, [protected, {}, ciphertext]))


def seal_cbc_hmac(secret, iv, body):
    """A message of §8's second suite. `iv`: 16 fresh random bytes."""
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(secret[:16]), modes.CBC(iv)).encryptor()
    sealed = iv + encryptor.update(padder.update(body) + padder.finalize()) + encryptor.finalize()
    return base64.b64encode(sealed + hmac.digest(secret[16:], sealed, "sha256"))


# --- §10: test vectors


def check(vector):
    """Why the outcome is not the vector's, or None."""
    key = {name: bytes.fromhex(text) for name, text in vector["key"].items()}
    secret = key.get("secret") or (key["cipher"], key["mac"])
    try:
        outcome = open_message(
            vector["suite"],
            secret,
            vector["topic"],
            bytes.fromhex(vector["wire"]),
            vector["filters"],
            vector.get("required_signers"),
        )
    except Refused as refused:
        outcome = str(refused)
    wanted = vector.get("opens", vector.get("fails"))
    return None if outcome == wanted else f"{vector['name']}: {outcome}, not {wanted}"


def check_sequence(sequence):
    judge = Judge()
    for at, message in enumerate(sequence["messages"]):
        verdict = judge.judge(message, message["suite"], message["topic"], message["delivered_retained"])
        if verdict != message["verdict"]:
            return f"{sequence['name']}, message {at}: {verdict}, not {message['verdict']}"
    return None


def main(paths):
    failures, count = [], 0
    for path in paths:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        outcomes = [check(vector) for vector in content.get("vectors", [])]
        outcomes += [check_sequence(sequence) for sequence in content.get("sequences", [])]
        count += len(outcomes)
        failures += [f"{path}: {failure}" for failure in outcomes if failure]
    for failure in failures:
        print(failure)
    print(f"{count - len(failures)} of {count} vectors as they should be")
    return 1 if failures or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
