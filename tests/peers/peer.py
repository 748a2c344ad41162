"""MQTT and crypto peers that are not ours: paho-mqtt, cryptography, cbor2.

peer.py roundtrip HOST PORT CA USER PASSWORD [websockets]
                  paho in 3.1.1 and 5.0: QoS 0 to 2, retained, wildcards
peer.py listen    HOST PORT CA USER PASSWORD TOPIC KEYFILE
                  waits for one message, opens it (Fernet key file, or a COSE epoch secret in hex), prints it
peer.py fernet    HOST PORT CA USER PASSWORD TOPIC KEYFILE TEXT
                  seals TEXT as a Fernet token and publishes it
"""

import hashlib
import hmac
import io
import queue
import sys

import cbor2
import paho.mqtt.client as mqtt
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

PATIENCE = 30


class Peer:
    def __init__(self, version, host, port, ca, user, password, transport="tcp"):
        self.messages = queue.Queue()
        self.acks = queue.Queue()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=f"peer-{version}", protocol=version, transport=transport
        )
        self.client.tls_set(ca_certs=ca)
        self.client.username_pw_set(user, password)
        connected = queue.Queue()
        self.client.on_connect = lambda c, u, f, reason, p: connected.put(reason)
        self.client.on_subscribe = lambda c, u, mid, reasons, p: self.acks.put(reasons)
        self.client.on_message = lambda c, u, message: self.messages.put(message)
        self.client.connect(host, int(port))
        self.client.loop_start()
        reason = connected.get(timeout=PATIENCE)
        assert not reason.is_failure, reason

    def subscribe(self, topic, qos=2):
        self.client.subscribe(topic, qos)
        reasons = self.acks.get(timeout=PATIENCE)
        assert not reasons[0].is_failure, reasons

    def publish(self, topic, payload, qos=1, retain=False):
        self.client.publish(topic, payload, qos, retain).wait_for_publish(PATIENCE)

    def next(self):
        return self.messages.get(timeout=PATIENCE)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def roundtrip(*where):
    for version in (mqtt.MQTTv311, mqtt.MQTTv5):
        base = f"peer/{version}"
        one, two = Peer(version, *where), None
        one.publish(f"{base}/kept", b"kept", retain=True)
        one.subscribe(f"{base}/+")
        kept = one.next()
        assert (kept.payload, kept.retain, kept.topic) == (b"kept", True, f"{base}/kept"), kept
        one.subscribe(f"{base}/deep/#")
        for qos in (0, 1, 2):
            one.publish(f"{base}/deep/a/b", f"qos {qos}".encode(), qos)
            got = one.next()
            assert (got.payload, got.qos, got.retain) == (f"qos {qos}".encode(), qos, False), got
        big = bytes(range(256)) * 1024
        one.publish(f"{base}/deep/big", big)
        assert one.next().payload == big
        one.publish(f"{base}/kept", b"", retain=True)
        one.close()
        print(f"paho {'5.0' if version == mqtt.MQTTv5 else '3.1.1'} ok")


def expand(prk, info, length):
    return HKDFExpand(algorithm=hashes.SHA256(), length=length, info=info).derive(prk)


def open_envelope(secret, topic, wire):
    """The reader that docs/envelope.md describes, without a line of ours."""
    tagged = cbor2.loads(wire)
    assert tagged.tag == 16
    protected_bytes, unprotected, ciphertext = tagged.value
    assert unprotected == {}
    header = cbor2.loads(protected_bytes)
    prk = hmac.new(b"sealwire/1", secret, hashlib.sha256).digest()
    alg, session = header[1], header[10]
    assert expand(prk, b"sealwire/1 kid", 16) == header[4], "another key sealed this"
    material = expand(prk, b"sealwire/1 msg\x00" + bytes([alg]) + session, 44)
    key, iv = material[:32], material[32:]
    nonce = (int.from_bytes(iv, "big") ^ int.from_bytes(header[6], "big")).to_bytes(12, "big")
    external = cbor2.dumps(["sealwire/1"])
    aad = cbor2.dumps(["Encrypt0", protected_bytes, external])
    cipher = {3: AESGCM, 24: ChaCha20Poly1305}[alg](key)
    padded = cipher.decrypt(nonce, ciphertext, aad)
    topic_key = expand(prk, b"sealwire/1 topic", 32)
    assert hmac.new(topic_key, topic.encode(), hashlib.sha256).digest()[:16] == header[-65537], "another topic"
    stream = io.BytesIO(padded)
    kind, sealed_at, content_type, body = cbor2.CBORDecoder(stream).decode()
    assert set(stream.read()) <= {0}, "padding"
    return body


def listen(host, port, ca, user, password, topic, keyfile):
    peer = Peer(mqtt.MQTTv5, host, port, ca, user, password)
    peer.subscribe(topic)
    print("listening", flush=True)
    message = peer.next()
    key = open(keyfile).read().strip()
    if len(key) == 64:
        body = open_envelope(bytes.fromhex(key), message.topic, message.payload)
    else:
        body = Fernet(key).decrypt(message.payload)
    print("opened", body.decode(), flush=True)
    peer.close()


def fernet(host, port, ca, user, password, topic, keyfile, text):
    peer = Peer(mqtt.MQTTv311, host, port, ca, user, password)
    peer.publish(topic, Fernet(open(keyfile).read().strip()).encrypt(text.encode()))
    peer.close()
    print("sent")


if __name__ == "__main__":
    {"roundtrip": roundtrip, "listen": listen, "fernet": fernet}[sys.argv[1]](*sys.argv[2:])
