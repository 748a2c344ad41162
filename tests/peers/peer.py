"""MQTT and crypto peers that are not ours: paho-mqtt, cryptography, and the reader of docs/reader.

peer.py roundtrip HOST PORT CA USER PASSWORD [websockets]
                  paho in 3.1.1 and 5.0: QoS 0 to 2, retained, wildcards
peer.py listen    HOST PORT CA USER PASSWORD TOPIC KEYFILE
                  waits for one message, opens it (Fernet key file, or a suite and an epoch secret in hex), prints it
peer.py fernet    HOST PORT CA USER PASSWORD TOPIC KEYFILE TEXT
                  seals TEXT as a Fernet token and publishes it
peer.py seal      HOST PORT CA USER PASSWORD TOPIC KEYFILE TEXT [SEED]
                  seals TEXT under the suite and epoch secret of the file, signed by the Ed25519 seed, and publishes it
"""

import os
import queue
import sys
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from cryptography.fernet import Fernet

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "reader"))
import sealwire_reader

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


def open_any(topic, payload, key):
    """`key`: a suite and an epoch secret in hex, or a Fernet key file's text."""
    if " " not in key:
        return Fernet(key).decrypt(payload)
    suite, secret = key.split()
    return bytes.fromhex(sealwire_reader.open_message(suite, bytes.fromhex(secret), topic, payload)["body"])


def listen(host, port, ca, user, password, topic, keyfile):
    peer = Peer(mqtt.MQTTv5, host, port, ca, user, password)
    peer.subscribe(topic)
    print("listening", flush=True)
    message = peer.next()
    body = open_any(message.topic, message.payload, open(keyfile).read().strip())
    print("opened", body.decode(), flush=True)
    peer.close()


def fernet(host, port, ca, user, password, topic, keyfile, text):
    peer = Peer(mqtt.MQTTv311, host, port, ca, user, password)
    peer.publish(topic, Fernet(open(keyfile).read().strip()).encrypt(text.encode()))
    peer.close()
    print("sent")


def seal(host, port, ca, user, password, topic, keyfile, text, seed=None):
    suite, secret = open(keyfile).read().split()
    secret, body = bytes.fromhex(secret), text.encode()
    if suite == "aes-cbc-hmac":
        payload = sealwire_reader.seal_cbc_hmac(secret, os.urandom(16), body)
    else:
        now, seed = int(time.time() * 1000), seed and bytes.fromhex(seed)
        payload = sealwire_reader.seal(
            secret, suite, topic, os.urandom(16), 1, now, body, content_type="text/plain", seed=seed
        )
    peer = Peer(mqtt.MQTTv5, host, port, ca, user, password)
    peer.publish(topic, payload)
    peer.close()
    print("sent")


if __name__ == "__main__":
    {"roundtrip": roundtrip, "listen": listen, "fernet": fernet, "seal": seal}[sys.argv[1]](*sys.argv[2:])
