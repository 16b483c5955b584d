"""Everything that needs PyTorch: data, networks, losses, fitting, export, and runs of networks.

OpenMP threads spin while they wait for each other, and take the time of the thread that they wait
for. Before PyTorch loads its OpenMP library, they are told to sleep after a short spin: a little
slower alone, faster beside a busy program (docs/performance.md). A user's own setting wins.
"""

import os

_SPIN_COUNT = "1000"  # measured by benchmarks/busy.py; libgomp's own default is 300000

if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = _SPIN_COUNT
