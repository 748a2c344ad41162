"""Plays system 001: readings and commands of machines, under two keys that its source published.

industrial_iot.py publish   HOST PORT TOPIC TEXT...
industrial_iot.py subscribe HOST PORT TOPIC

Written from a description of its bytes and behaviour, without its windows, logins and codes, which never reached the wire.
It did not tell when the broker had granted its subscription.
"""

import base64
import sys

import paho.mqtt.client as mqtt
from Crypto.Cipher import AES
from Crypto.Hash import HMAC, SHA256
from Crypto.Random import get_random_bytes
from Crypto.Util.Padding import unpad

CIPHER_KEY = base64.b64decode("UAH11A5PTkuqMpB03gMNzg==")
MAC_KEY = base64.b64decode("iVCj0p6JRySSVXa1RcdeEl4VvuACqGXwMsA21ed2qPQ1==")
assert len(MAC_KEY) == 33


def seal(text):
    # Counts characters where it should count bytes: a text with accents fails, unless they happen to fill a block.
    fill = 16 - len(text) % 16
    iv = get_random_bytes(16)
    ciphertext = AES.new(CIPHER_KEY, AES.MODE_CBC, iv).encrypt((text + chr(fill) * fill).encode())
    mac = HMAC.new(MAC_KEY, iv + ciphertext, SHA256).digest()
    return base64.b64encode(iv + ciphertext + mac).decode()


def unseal(payload):
    try:
        raw = base64.b64decode(payload)
        iv, ciphertext, mac = raw[:16], raw[16:-32], raw[-32:]
        try:
            HMAC.new(MAC_KEY, iv + ciphertext, SHA256).verify(mac)
        except ValueError:
            return "HMAC verification failed!"
        return unpad(AES.new(CIPHER_KEY, AES.MODE_CBC, iv).decrypt(ciphertext), 16).decode()
    except Exception as error:
        return f"Decryption error: {error}"


def publish(host, port, topic, *texts):
    for text in texts:
        # A connection for each message, with no client id, never closed by hand.
        sender = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, protocol=mqtt.MQTTv311)
        sender.connect(host, int(port), 60)
        sender.loop_start()
        sender.publish(topic, seal(text)).wait_for_publish(30)
        print(f"Published to {topic}: {text}", flush=True)


def subscribe(host, port, topic):
    def on_message(mqttc, userdata, message):
        print(f"Topic: {message.topic} Message: {unseal(message.payload.decode())}", flush=True)

    receiver = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, protocol=mqtt.MQTTv311)
    receiver.on_connect = lambda mqttc, userdata, flags, rc: mqttc.subscribe(topic)
    receiver.on_subscribe = lambda mqttc, userdata, mid, granted: print("(subscribed)", flush=True)
    receiver.on_message = on_message
    receiver.connect(host, int(port), 60)
    receiver.loop_forever()


if __name__ == "__main__":
    {"publish": publish, "subscribe": subscribe}[sys.argv[1]](*sys.argv[2:])
