"""Plays system 003: a chat in a window, publisher and subscriber in one.

window_chat.py HOST PORT    then on stdin: username, passphrase, and messages

Written from a description of its bytes and behaviour, without its window. It did not tell when the broker had granted its
subscription.
"""

import base64
import json
import sys

import paho.mqtt.client as mqtt
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

TOPIC = "chat/channel"


def cipher_of(passphrase):
    kdf = PBKDF2HMAC(algorithm=hashes.SHA256(), length=32, salt=b"static_salt_value", iterations=100_000)
    return Fernet(base64.urlsafe_b64encode(kdf.derive(passphrase.encode())))


def main(host, port):
    username = sys.stdin.readline().strip()
    passphrase = sys.stdin.readline().strip()
    if not username or len(username) > 50 or len(passphrase) < 8:
        print("Please enter a username and a passphrase of at least 8 characters.", flush=True)
        sys.exit(1)
    cipher = cipher_of(passphrase)

    def on_connect(mqttc, userdata, flags, rc):
        print("Connected to MQTT Broker.", flush=True)
        mqttc.subscribe(TOPIC)

    def on_message(mqttc, userdata, message):
        try:
            said = json.loads(cipher.decrypt(message.payload).decode())
            print(f"{said['username']}: {said['text']}", flush=True)
        except Exception:
            words = "Failed to decrypt or parse the message. It may be corrupted or the key is incorrect."
            print(words, flush=True)

    chat = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, protocol=mqtt.MQTTv311)
    chat.on_connect = on_connect
    chat.on_message = on_message
    chat.on_subscribe = lambda mqttc, userdata, mid, granted: print("(subscribed)", flush=True)
    chat.connect(host, int(port), 60)
    chat.loop_start()
    for line in sys.stdin:
        text = line.rstrip("\n")
        if not text.strip():
            continue
        if len(text.encode()) > 256 * 1024:
            print("Message too large to send. Please shorten it.", flush=True)
            continue
        chat.publish(TOPIC, cipher.encrypt(json.dumps({"username": username, "text": text}).encode()))
        print(f"You: {text}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
