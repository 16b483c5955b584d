"""Everything that needs PyTorch: data, networks, losses, fitting, export, and runs of networks.

Two OpenMP threads that wait for a third program spin, and lose its time and their own. Before
PyTorch loads its OpenMP library, waiting threads are told to sleep after a short spin: as fast
alone, and much faster beside a busy program (docs/performance.md). A user's own setting wins.
"""

import os

_SPIN_COUNT = "1000"  # measured by benchmarks/busy.py; libgomp's own default is 300000

if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = _SPIN_COUNT
