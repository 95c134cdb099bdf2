"""Lets tests share what holds for every report."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
