"""Code of ours that runs inside other processes: tasks and model servers.

It imports the standard library and what the base environment holds, never `harness`; the harness puts the folder `guest/` on those
processes' path.
"""
