"""The running fleet.

One worker is one core. The BLAS that numpy brings would start a thread for every other core, and these spin
between the many small products of a run: twice the processor time, for nothing. It reads its environment when
numpy is first imported, so this must come before.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
