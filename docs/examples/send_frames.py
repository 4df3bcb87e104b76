"""Stream frames to a processor of scope-streamer from any script: python send_frames.py tcp://127.0.0.1:5555

Needs numpy and pyzmq only. See docs/wire.md for the messages, and for what a sender of your own may add.
"""

import json
import sys
import time
import uuid

import numpy as np
import zmq


def send_frames(endpoint, profile, images):
    """Send [y, x] uint8 or uint16 images; stops early when a guard says so. Returns how many are recorded."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as link:
        link.linger = 1000
        link.connect(endpoint)

        def say(kind, *pixels, **fields):
            link.send_multipart([b"scope-streamer/3", json.dumps({"kind": kind, **fields}).encode(), *pixels])

        def hear():
            if not link.poll(30_000):
                raise TimeoutError("the processor says nothing")
            message = json.loads(link.recv_multipart()[1])
            if message["kind"] == "refused":
                raise RuntimeError(message["reason"])
            return message

        say("hello", run=uuid.uuid4().hex, profile=profile)
        seq, until, stopped = 0, 0, False
        for image in images:
            while not stopped and (seq >= until or link.poll(0)):
                message = hear()
                until = message.get("until", until)  # a welcome or credit: frames before this one may be sent
                stopped = message.get("action") == "stop"
            if stopped:
                break
            image = np.ascontiguousarray(image, image.dtype.name)
            shape, dtype = image.shape, image.dtype.name
            say("frame", image, seq=seq, shape=shape, dtype=dtype, wall_time_s=time.time())
            seq += 1
        say("end", acquired=seq)
        while (message := hear())["kind"] != "closed":
            pass
        say("bye")
        return message["recorded"]


if __name__ == "__main__":
    noise = np.random.default_rng()
    images = (noise.poisson(2, (600, 600)).astype(np.uint16) for _ in range(100))
    print(send_frames(sys.argv[1], "abberior_er_low", images), "frames recorded")
