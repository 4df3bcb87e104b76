"""`streamer bench`: what a frame costs on this machine, from the camera to the verdict, measured end to end.

A real processor, hook, wire and recording; only the camera's frames are simulated. `run.bench` measures,
`report` is the JSON, `compare` holds two of them against each other.
"""
