#!/usr/bin/env python3
"""Messages a second from one Python process to another: paho-mqtt, each payload a Fernet token of `cryptography`.

    benches/rivals/paho_fernet.py PORT [--payload 64] [--seconds 5] [--warm-up 1] [--ahead 1000] [--clear]

The publisher runs without paho's thread, so that it writes from its own loop and shares no lock; it stays a bounded way
ahead of the subscriber, so that the broker drops nothing. The subscriber decrypts in its callback. `--clear` leaves the
sealing out. Prints one line of JSON.
"""
import argparse
import json
import mmap
import multiprocessing
import struct
import time

import paho.mqtt.client as mqtt
from cryptography.fernet import Fernet

TOPIC = "bench/python"
HOST = "127.0.0.1"


class Counter:
    """How many messages arrived, and whether all is over; shared between the processes without a lock."""

    def __init__(self):
        self.memory = mmap.mmap(-1, 16)

    def write(self, place, value):
        struct.pack_into("=Q", self.memory, 8 * place, value)

    def read(self, place):
        return struct.unpack_from("=Q", self.memory, 8 * place)[0]


def client(on_connect=None):
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    made.on_connect = on_connect
    return made


def subscribe(port, cipher, arrived, ready):
    count = 0

    def on_message(_client, _data, message):
        nonlocal count
        if cipher:
            cipher.decrypt(message.payload)
        count += 1
        if count % 20 == 0:
            arrived.write(0, count)

    reader = client(lambda connected, *_: connected.subscribe(TOPIC, qos=0))
    reader.on_subscribe = lambda *_: ready.set()
    reader.on_message = on_message
    reader.connect(HOST, port)
    reader.loop_forever()


def publish(port, cipher, arrived, payload, ahead):
    writer = client()
    writer.connect(HOST, port)
    while not writer.is_connected():
        writer.loop(0.1)
    sent = 0
    while not arrived.read(1):
        if sent - arrived.read(0) >= ahead:
            # Gives the core to whoever lags behind.
            time.sleep(0.0002)
            continue
        for _ in range(50):
            writer.publish(TOPIC, cipher.encrypt(payload) if cipher else payload, qos=0)
        sent += 50
        # What paho could not write at once waits in its queue.
        while writer.want_write():
            writer.loop_write()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--payload", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--warm-up", type=float, default=1)
    parser.add_argument("--ahead", type=int, default=1000)
    parser.add_argument("--clear", action="store_true")
    options = parser.parse_args()
    processes = multiprocessing.get_context("fork")
    cipher = None if options.clear else Fernet(Fernet.generate_key())
    arrived, ready = Counter(), processes.Event()
    reader = processes.Process(target=subscribe, args=(options.port, cipher, arrived, ready), daemon=True)
    reader.start()
    if not ready.wait(20):
        raise SystemExit("the subscriber was not subscribed within 20 s")
    writer = processes.Process(target=publish, args=(options.port, cipher, arrived, b"x" * options.payload, options.ahead),
                               daemon=True)
    writer.start()
    time.sleep(options.warm_up)
    before, start = arrived.read(0), time.monotonic()
    time.sleep(options.seconds)
    after, spent = arrived.read(0), time.monotonic() - start
    arrived.write(1, 1)
    writer.join(10)
    for process in (writer, reader):
        process.terminate()
    if after == before:
        raise SystemExit("no message arrived")
    print(json.dumps({"rate": (after - before) / spent}))


if __name__ == "__main__":
    main()
