"""Starts the runtime as a host does, with descriptors 3 and 4, and a stand-in for the plugin's half."""

import os
import runpy
import select
import sys

for target, variable in ((3, "TEST_BYTES_FD"), (4, "TEST_MESSAGES_FD")):
    if variable in os.environ:
        # Behind all others first, so that none of them is overwritten.
        os.dup2(int(os.environ[variable]), 20 + target)
for target, variable in ((3, "TEST_BYTES_FD"), (4, "TEST_MESSAGES_FD")):
    if variable in os.environ:
        os.dup2(20 + target, target)
        os.close(20 + target)
        if int(os.environ[variable]) not in (3, 4):
            os.close(int(os.environ[variable]))

if "TEST_NO_POLL" in os.environ:
    # As on Windows.
    del select.poll

here = os.path.dirname(os.path.abspath(__file__))
source = os.path.join(here, "..", "..", "src")
sys.path[:0] = [here, source]

import stand_in  # noqa: E402

sys.modules["appfactory.plugin"] = stand_in
del sys.path[:2]
sys.argv[0] = os.path.join(source, "appfactory", "run.py")
runpy.run_path(sys.argv[0], run_name="__main__")
