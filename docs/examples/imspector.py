"""UNTESTED: stream scans of Abberior's Imspector, one frame per run of the active measurement.

Written from the public documentation of specpy (https://pypi.org/project/specpy,
https://imspectordocs.readthedocs.io); never run on a microscope. Check on yours: which stack holds the
detector you want, whether it fits in uint16, and whether each run makes a new stack or fills the same one.
Needs specpy, numpy and pyzmq, Imspector with "Run Server" checked, and send_frames.py beside this file.
A stop of the processor ends the loop between two scans; it does not interrupt one and switches no laser.
"""

import sys

import numpy as np
import specpy
from send_frames import send_frames


def scans(count):
    """Run the active measurement again and again; each time the first plane of its newest stack."""
    imspector = specpy.get_application()
    measurement = imspector.active_measurement()
    for _ in range(count):
        imspector.run(measurement)  # returns when the scan is done
        name = measurement.stack_names()[-1]
        data = np.asarray(measurement.stack(name).data())  # four axes; the image is in the last two
        plane = data.reshape(-1, *data.shape[-2:])[0]
        if plane.min() < 0 or plane.max() > 65535:
            raise ValueError(
                f"stack {name}: {plane.dtype} from {plane.min()} to {plane.max()}; not uint16 counts"
            )
        yield plane.astype(np.uint16)


if __name__ == "__main__":
    print(send_frames(sys.argv[1], "abberior_er_low", scans(100)), "frames recorded")
